"""Labels by people: an append-only event log, who labels which text, agreement, and what was decided."""
