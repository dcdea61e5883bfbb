//! Tables of programs: those that only look, those that look unless a flag says otherwise, and those that act.
//! Sources: their manuals (GNU coreutils 9, findutils, procps, util-linux, ripgrep 14, systemd 255, BSD where it
//! differs), and for flags that start programs the GTFOBins collection.

use super::parse::Word;
use crate::command::Effect::{self, Administer, Destroy, Grant, Unknown, Write};

/// Only look, whatever their arguments.
const LOOKS: &[&str] = &[
    ":", "apt-cache", "arch", "b2sum", "basename", "break", "bzcat", "cal", "cat", "cd", "cksum", "cloc",
    "cmp", "column", "comm", "continue", "cut", "df", "diff", "diff3", "dig", "dir", "dirname", "dirs",
    "dpkg-query", "du", "echo", "egrep", "exit", "expand", "expr", "factor", "false", "fgrep", "findmnt",
    "fmt", "fold", "free", "getconf", "getent", "getfacl", "getopts", "grep", "groups", "head", "hexdump",
    "host", "id", "iostat", "jobs", "join", "jq", "locate", "logname", "look", "ls", "lsattr", "lsblk",
    "lscpu", "lsmod", "lsns", "lsof", "lspci", "lsusb", "md5sum", "namei", "netstat", "nl", "nproc",
    "nslookup", "numfmt", "od", "paste", "pg_isready", "pgrep", "pmap", "popd", "pr", "printenv", "ps",
    "pstree", "pushd", "pwd", "readlink", "realpath", "return", "rev", "scc", "seq", "sha1sum", "sha256sum",
    "sha512sum", "shift", "sleep", "ss", "stat", "strings", "sum", "tac", "tail", "tokei", "tput", "tr",
    "traceroute", "true", "tty", "type", "uname", "unexpand", "uptime", "uuidgen", "vdir", "vmstat", "w",
    "wait", "wc", "whereis", "which", "who", "whoami", "xzcat", "zcat", "zgrep",
];

/// Look, unless one of the flags stands there: which, what then, and why.
const LOOKS_UNLESS: &[(&str, &str, Effect, &str)] = &[
    ("ack", "--pager", Unknown, "ack --pager starts a program"),
    ("ag", "--pager", Unknown, "ag --pager starts a program"),
    ("base64", "-o --output", Write, "base64 -o writes a file"),
    ("bat", "--pager --map-syntax", Unknown, "bat --pager starts a program"),
    ("batcat", "--pager", Unknown, "bat --pager starts a program"),
    ("crontab", "* -e -r -i", Administer, "crontab changes what runs by itself"),
    ("dmesg", "-c -C -D -E -n --clear --read-clear --console-off --console-on", Administer, "dmesg changes the kernel's log"),
    ("exa", "--git-ignore-none", Unknown, "exa with a flag that is not known"),
    ("eza", "--git-ignore-none", Unknown, "eza with a flag that is not known"),
    ("file", "-C --compile", Write, "file -C writes a file"),
    ("history", "-c -d -w -a -n -r", Write, "history changes the history"),
    ("hostname", "* -F -b --file", Administer, "hostname sets the name"),
    ("iconv", "-o --output", Write, "iconv -o writes a file"),
    ("journalctl", "--rotate --vacuum-size --vacuum-time --vacuum-files --flush --sync --relinquish-var --setup-keys --update-catalog", Administer, "journalctl changes the journal"),
    ("less", "-o -O -k +* --log-file --LOG-FILE --lesskey-file --lesskey-src --lesskey-content", Unknown, "less with a flag that writes or starts something"),
    ("man", "-P -H -C --pager --html --config-file -l -t -T -X -Z", Unknown, "man starts a program"),
    ("mount", "* -a -o -t -B -M --bind --move", Administer, "mount changes what is mounted"),
    ("nvidia-smi", "-pm -pl -r -c --gpu-reset", Administer, "nvidia-smi changes the device"),
    ("pg_dump", "-f --file", Write, "pg_dump -f writes a file"),
    ("pg_dumpall", "-f --file", Write, "pg_dumpall -f writes a file"),
    ("mysqldump", "-r -T --result-file --tab", Write, "mysqldump -r writes a file"),
    ("ping", "-f", Administer, "ping -f floods"),
    ("rg", "--pre --hostname-bin", Unknown, "rg --pre starts a program"),
    ("sdiff", "-o --output", Write, "sdiff -o writes a file"),
    ("sort", "-o -T --output --compress-program --files0-from", Unknown, "sort -o writes a file, --compress-program starts one"),
    ("sysctl", "-w -p -f --write --load --system *=*", Administer, "sysctl -w changes the kernel's settings"),
    ("top", "-W", Write, "top -W writes a file"),
    ("tree", "-o -R --output", Write, "tree -o writes a file"),
    ("yq", "-i --inplace --in-place -s --split-exp", Write, "yq -i changes files"),
    ("more", "+*", Unknown, "more with a flag that starts something"),
];

/// Look when their first argument and all their flags are among these, and act otherwise.
const LOOKS_WITH: &[(&str, &str)] = &[
    ("fdisk", "-l"),
    ("hostnamectl", "status"),
    ("iptables", "-L -S -n -v -nL -nvL -vnL -Ln --list --line-numbers"),
    ("mysqladmin", "status ping version processlist variables extended-status"),
    ("parted", "-l"),
    ("passwd", "-S"),
    ("pg_ctl", "status"),
    ("route", "-n"),
    ("ssh-keygen", "-l -lf -F"),
    ("timedatectl", "status show list-timezones"),
    ("ufw", "status"),
    ("update-alternatives", "--list --display"),
    ("zpool", "status list iostat"),
];

/// Act: what, and how that is put after the program's name.
const ACTS: &[(&str, Effect, &str)] = &[
    ("addgroup", Grant, "changes who may do what"),
    ("adduser", Grant, "changes who may do what"),
    ("alias", Unknown, "gives a name to another command"),
    ("apt-mark", Administer, "changes what is installed"),
    ("blkdiscard", Destroy, "empties a device"),
    ("bg", Effect::Transaction, "steers the session's jobs"),
    ("cfdisk", Destroy, "changes partitions"),
    ("chpasswd", Grant, "changes who may do what"),
    ("createdb", Effect::Define, "creates a database"),
    ("createuser", Grant, "changes who may do what"),
    ("cryptsetup", Destroy, "changes a device"),
    ("csplit", Write, "writes files"),
    ("deluser", Grant, "changes who may do what"),
    ("disown", Effect::Transaction, "steers the session's jobs"),
    ("dropdb", Destroy, "removes a database"),
    ("dropuser", Grant, "changes who may do what"),
    ("fallocate", Write, "writes a file"),
    ("fdisk", Destroy, "changes partitions"),
    ("fg", Effect::Transaction, "steers the session's jobs"),
    ("firewall-cmd", Administer, "changes the network"),
    ("fsck", Administer, "repairs a file system"),
    ("gpasswd", Grant, "changes who may do what"),
    ("groupadd", Grant, "changes who may do what"),
    ("groupdel", Grant, "changes who may do what"),
    ("groupmod", Grant, "changes who may do what"),
    ("halt", Administer, "stops the machine"),
    ("hostnamectl", Administer, "changes the machine"),
    ("ifdown", Administer, "changes the network"),
    ("ifup", Administer, "changes the network"),
    ("init", Administer, "changes the machine"),
    ("insmod", Administer, "loads code into the kernel"),
    ("iptables", Administer, "changes the network"),
    ("ip6tables", Administer, "changes the network"),
    ("killall", Administer, "ends processes"),
    ("losetup", Administer, "changes devices"),
    ("lvcreate", Administer, "changes volumes"),
    ("lvremove", Destroy, "removes a volume"),
    ("mdadm", Destroy, "changes devices"),
    ("mkfs", Destroy, "empties a device"),
    ("mkswap", Destroy, "empties a device"),
    ("modprobe", Administer, "loads code into the kernel"),
    ("mysqladmin", Administer, "changes the server"),
    ("nft", Administer, "changes the network"),
    ("parted", Destroy, "changes partitions"),
    ("passwd", Grant, "changes who may do what"),
    ("patch", Write, "changes files"),
    ("pg_ctl", Administer, "starts or stops a server"),
    ("pg_restore", Destroy, "replaces data"),
    ("pkill", Administer, "ends processes"),
    ("poweroff", Administer, "stops the machine"),
    ("pvremove", Destroy, "removes a volume"),
    ("reboot", Administer, "stops the machine"),
    ("rename", Write, "renames files"),
    ("renice", Administer, "changes processes"),
    ("rmmod", Administer, "changes the kernel"),
    ("route", Administer, "changes the network"),
    ("scp", Write, "copies files"),
    ("sftp", Write, "copies files"),
    ("sgdisk", Destroy, "changes partitions"),
    ("shutdown", Administer, "stops the machine"),
    ("split", Write, "writes files"),
    ("ssh-copy-id", Grant, "changes who may log in"),
    ("ssh-keygen", Write, "writes keys"),
    ("swapoff", Administer, "changes the machine"),
    ("swapon", Administer, "changes the machine"),
    ("sync", Administer, "flushes files"),
    ("telinit", Administer, "changes the machine"),
    ("timedatectl", Administer, "changes the clock"),
    ("ufw", Administer, "changes the network"),
    ("umount", Administer, "changes what is mounted"),
    ("unalias", Effect::Transaction, "changes the session"),
    ("update-alternatives", Administer, "changes what is installed"),
    ("userdel", Grant, "changes who may do what"),
    ("useradd", Grant, "changes who may do what"),
    ("usermod", Grant, "changes who may do what"),
    ("vgremove", Destroy, "removes volumes"),
    ("visudo", Grant, "changes who may do what"),
    ("vacuumdb", Administer, "maintains a database"),
    ("wipefs", Destroy, "empties a device"),
    ("xfs_repair", Administer, "repairs a file system"),
    ("zip", Write, "writes a file"),
    ("zpool", Destroy, "changes a pool of devices"),
];

/// Start code that does not stand in the text, but tell their version without.
const TELL_VERSION: &[&str] = &[
    "ansible", "brew", "bun", "bundle", "cargo", "clang", "cmake", "composer", "conda", "deno", "dotnet", "g++", "gcc", "gem", "go", "gradle",
    "java", "javac", "jest", "julia", "make", "mvn", "mypy", "node", "npm", "npx", "perl", "php", "pip", "pip3", "pnpm", "poetry", "pytest",
    "python", "python3", "ruby", "ruff", "rustc", "rustup", "swift", "tsc", "uv", "yarn", "terraform",
];

/// Whether the program only looks, whatever its arguments.
pub fn looks(name: &str) -> bool {
    LOOKS.binary_search(&name).is_ok()
}

/// For a program that looks unless a flag says otherwise: the flags, and what it does then.
pub fn looks_unless(name: &str) -> Option<(&'static str, Effect, &'static str)> {
    LOOKS_UNLESS.iter().find(|(program, ..)| *program == name).map(|(_, flags, effect, why)| (*flags, *effect, *why))
}

/// Whether these arguments make a program look that would act with others.
pub fn looks_with(name: &str, words: &[Word]) -> bool {
    let Some((_, looks)) = LOOKS_WITH.iter().find(|(program, _)| *program == name) else { return false };
    let listed = |word: &Word| looks.split(' ').any(|look| word.known() == Some(look));
    words.first().is_some_and(listed)
        && words.iter().all(|word| listed(word) || !(word.text.starts_with('-') || super::flags::could_be_flag(word)))
}

/// For a program that acts: what it does, and why.
pub fn acts(name: &str) -> Option<(Effect, &'static str)> {
    let family = |program: &str| name.split_once('.').is_some_and(|(head, _)| head == program && program == "mkfs");
    ACTS.iter().find(|(program, ..)| *program == name || family(program)).map(|(_, effect, why)| (*effect, *why))
}

/// Whether the program tells its version without running anything.
pub fn tells_its_version(name: &str) -> bool {
    TELL_VERSION.contains(&name)
}
