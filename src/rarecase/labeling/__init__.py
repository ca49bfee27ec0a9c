"""
Who labels the chosen texts: a gold column (`gold.py`), people with a spreadsheet (`spreadsheet.py`), or people on the
labeling page (`people.py`, which puts texts into a label store and waits).

The way of a vote from the page to the database, and back to the run:

1. `web/pages.py`: the page sends an act to its handler, which knows the person by the signed-in session.
   (`web/access.py` has turned away before whoever is not signed in and listed; `web/sign_in.py` has the ways to.)
2. `store/service.py`: `LabelService.vote` decides whether the vote counts.
3. `store/transaction.py`: a `Transaction` has locked the log and read what others wrote; votes of several threads
   share a commit. It also asks `store/queue.py` for the person's next items, and reserves them.
4. `store/events.py`: the event is inserted into the table of the log, and has happened once it is committed.
5. `store/state.py`: the same event is applied to the state in memory, which `store/consensus.py` decides on.

`people.py` reads the log until all of its texts are decided; nothing is locked meanwhile. Where the store is on the
Hub, `store/sync.py` turns new events into files, and `store/repository.py` uploads them and reads those of others.
"""
