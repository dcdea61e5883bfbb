//! A session that is too long to be put together at once.

use sluice_engine::record::Stage;

use super::{NOW, On, kept, with_body};
use crate::records::Entry;
use crate::records::session::read;
use crate::store::Which;

on_both!(a_long_session_comes_in_parts_and_no_exchange_is_cut);

async fn a_long_session_comes_in_parts_and_no_exchange_is_cut(on: On) {
    let kept = kept(on).await;
    for n in 0..5 {
        let asked = with_body(&format!("e{n}"), &"w ".repeat(500 * (n + 1)));
        let mut ended = with_body(&format!("e{n}"), "done");
        for entry in &mut ended.entries {
            if let Entry::Exchange(record) = entry {
                record.stage = Stage::Close;
            }
        }
        kept.store.add(asked, NOW).await.unwrap();
        kept.store.add(ended, NOW).await.unwrap();
    }
    let (mut ids, mut parts, mut after) = (Vec::new(), Vec::new(), Some(0));
    while let Some(from) = after {
        let which = Which { after: from, ..Which::default() };
        let (part, next) = read(&*kept.store, which, 1000, 4000).await.unwrap();
        assert!(part.iter().all(|one| one.open.is_some() && one.close.is_some() && one.request.is_some()));
        parts.push(part.len());
        ids.extend(part.into_iter().map(|one| one.id));
        after = next;
    }
    assert_eq!(ids, ["e0", "e1", "e2", "e3", "e4"]);
    // Bodies of 1, 2, 3, 4 and 5 kB: a part ends once it has more than 4 kB.
    assert_eq!(parts, [3, 1, 1]);
}
