"""
What a user's mistake is answered: one line that names file, row or value and the way out, exit 2, no traceback, no
text of a post, and everything on the disk as it was.
"""

from bad_input import commands, folders, models, settings, tables

KEY = "sk-3f9a1c77e2"
CASES = [*tables.TABLES, *settings.SETTINGS, *models.MODELS, *folders.FOLDERS, *commands.COMMANDS]
