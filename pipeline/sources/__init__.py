"""What other systems export, read as feeds: Control Hub, Search API, Webex Connect, own sheets.

Belongs here: the port (`kind`, `source`), and one file a kind of export, which says which records
there are and what a feed's columns are made of. Does not belong here: how files are read and cells
judged (`pipeline.exports`), what a feed is (`schemas.feeds`), and keeping rows (`pipeline.store`).
"""

from pipeline.sources.kind import Key, Kind, Options
from pipeline.sources.source import Source, SourceError, check_ending, sources_of

__all__ = ["Key", "Kind", "Options", "Source", "SourceError", "check_ending", "sources_of"]
