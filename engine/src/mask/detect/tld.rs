//! Top-level domains, as far as they tell an address from a file name or a version.
//!
//! Two letters: the country codes in IANA's root zone (2025). Three letters and more: any word of letters that no
//! file extension or member name in code has, and `xn--` labels; the root zone grows, and a missed address is worse
//! than a masked name.

/// Country codes in the root zone, in alphabetical order.
const COUNTRIES: &[u8] = b"acadaeafagaialamaoaqarasatauawaxazbabbbdbebfbgbhbibjbmbnbobrbsbtbwbybzcacccdcfcgchcickclcmcncocrcucvcwcxcyczdedjdkdmdodzeceeegereseteufifjfkfmfofrgagbgdgegfggghgiglgmgngpgqgrgsgtgugwgyhkhmhnhrhthuidieiliminioiqirisitjejmjojpkekgkhkikmknkpkrkwkykzlalblclilklrlsltlulvlymamcmdmemgmhmkmlmmmnmompmqmrmsmtmumvmwmxmymznancnenfngninlnonpnrnunzompapepfpgphpkplpmpnprpsptpwpyqarerorsrurwsasbscsdsesgshsiskslsmsnsosrssstsusvsxsysztctdtftgthtjtktltmtntotrtttvtwtzuaugukusuyuzvavcvevgvivnvuwfwsyeytzazmzw";

/// Extensions and names in code that follow a dot and are no top-level domain, or hardly ever used as one. In
/// alphabetical order.
const NOT_DOMAINS: [&str; 104] = [
    "apk", "arr", "avi", "avif", "bak", "bash", "bat", "bin", "bmp", "cfg", "class", "cmd", "conf", "config",
    "cpp", "csproj", "css", "csv", "cur", "dart", "data", "default", "dll", "dmg", "doc", "docx", "dylib",
    "eot", "eps", "exe", "ext", "flac", "fn", "func", "gem", "gif", "git", "gradle", "gzip", "hpp", "htm",
    "html", "ico", "ini", "ipynb", "iso", "jar", "java", "jpeg", "jpg", "json", "jsonl", "jsx", "key", "kts",
    "latest", "len", "less", "list", "lock", "log", "map", "mjs", "mkv", "mov", "next", "ogg", "opt", "otf",
    "patch", "pdf", "pem", "php", "png", "ppt", "pptx", "proto", "psd", "sass", "scss", "sql", "svg", "tar",
    "tgz", "tiff", "toml", "tsx", "ttf", "txt", "vue", "wasm", "wav", "webm", "webp", "whl", "woff", "xls",
    "xlsx", "xml", "xsd", "yaml", "yarn", "yml", "zip",
];

/// Longest label that is taken for one, in bytes.
const MAX: usize = 24;

/// Whether a label can be a top-level domain. Case does not matter.
pub(in crate::mask) fn exists(label: &[u8]) -> bool {
    if label.len() > MAX || label.len() < 2 {
        return false;
    }
    if label.get(..4).is_some_and(|p| p.eq_ignore_ascii_case(b"xn--")) {
        return label.len() > 5;
    }
    if !label.iter().all(u8::is_ascii_alphabetic) {
        return !label.is_ascii() && label.iter().all(|b| *b >= 0x80);
    }
    let mut small = [0; MAX];
    small.iter_mut().zip(label).for_each(|(slot, byte)| *slot = byte.to_ascii_lowercase());
    let small = small.get(..label.len()).unwrap_or_default();
    match small {
        [a, b] => COUNTRIES.as_chunks::<2>().0.binary_search(&[*a, *b]).is_ok(),
        // The one that ends most addresses.
        b"com" => true,
        _ => NOT_DOMAINS.binary_search_by(|word| word.as_bytes().cmp(small)).is_err(),
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNTRIES, NOT_DOMAINS, exists};

    #[test]
    fn the_lists_are_in_order() {
        assert!(COUNTRIES.as_chunks::<2>().0.is_sorted() && NOT_DOMAINS.is_sorted());
    }

    #[test]
    fn countries_and_words_are_domains_and_file_extensions_are_not() {
        for yes in ["com", "de", "uk", "IO", "museum", "photography", "xn--p1ai", "zw", "ac"] {
            assert!(exists(yes.as_bytes()), "{yes}");
        }
        for no in ["png", "js", "ts", "xx", "3", "json", "c", "2x", "yaml", ""] {
            assert!(!exists(no.as_bytes()), "{no}");
        }
    }
}
