//! Lists of tools: what a caller may not use, what nobody has approved, and what rules keep from the model is not in
//! them.

use std::collections::BTreeSet;

use super::super::Case;
use super::super::offered::take_out_items;
use super::reply::Judgement;
use crate::json::{Splices, Value};
use crate::mcp::text;
use crate::wire::ToolsSeen;

impl Case {
    /// Takes out of a list the tools that the roles do not allow, that nobody has approved, or whose definition a rule
    /// would keep from the model.
    ///
    /// # Errors
    /// What control is to be asked first.
    pub(super) fn filter_tools(
        &mut self,
        tools: Value<'_, '_>,
        splices: &mut Splices,
    ) -> Result<(), Box<ToolsSeen>> {
        let Some(server) = self.mcp_server() else { return Ok(()) };
        let named: Vec<_> = tools.items().filter(|item| item.str("name").is_some()).collect();
        let unapproved = self.unapproved(&named)?;
        // By where they start: a server may list many.
        let mut kept = BTreeSet::new();
        for item in named {
            let Some(name) = item.str("name") else { continue };
            let tool = server.tool(&name);
            let stays = if let Err(denied) = self.checked("tool", &tool, self.rights.tool(&tool)) {
                self.note_denied(&denied, &tool);
                false
            } else if unapproved.contains(name.as_ref()) {
                self.note_unapproved(&tool);
                false
            } else {
                match self.judge_told(item, &mut text::of(item), Some(tool)) {
                    Ok(()) => true,
                    Err(Judgement::Refused(refusal)) => {
                        self.note(&refusal);
                        false
                    }
                    // Nobody waits for a list; the hold is noted, and the tool is not there.
                    Err(Judgement::Held(_)) => false,
                }
            };
            if stays {
                kept.insert(item.span().start);
            }
        }
        take_out_items(Some(tools), |item| !kept.contains(&item.span().start), splices);
        Ok(())
    }
}
