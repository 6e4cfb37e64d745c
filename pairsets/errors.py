"""The errors of this package, for callers who catch them by kind.

PairsetsError                    a ValueError
├── FacesError
│   └── ImageError               in images; NotFoundError in sources.folders.picture_paths
├── PairSetError
├── ScoresError
├── SubmissionError              in files.submissions
├── OutputError
├── JsonError                    in storage.json_files
├── RemoteError                  MissingError of what is not there, in storage.remote_files
├── SampleError
├── SourceError
│   └── PackedError              in sources.text.compressed
└── ReviewError                  in review.store.verdicts
    ├── DatabaseError            in review.store.connection
    ├── AlreadyJudgedError       in review.store.store
    ├── KeyReusedError           in review.store.store
    └── NoPictureError           in review.web.pictures
"""

from __future__ import annotations


class PairsetsError(ValueError):
    """Bad input or an impossible request; the message alone tells a user what to mend."""


class FacesError(PairsetsError):
    """A folder, list or table of faces that cannot be used."""


class PairSetError(PairsetsError):
    """A pair file or pair set that breaks the format's rules."""


class ScoresError(PairsetsError):
    """Scores that do not fit their pairs."""


class OutputError(PairsetsError):
    """A file that may not be written where it was asked for."""


class SourceError(PairsetsError):
    """A source of faces or pairs, in another form than this project's own, that cannot be used."""


class RemoteError(PairsetsError):
    """A place beyond this machine, as a bucket, that cannot be reached, read or written."""


class SampleError(PairsetsError):
    """A sample of faces that cannot be drawn, or a folder it may not be written to."""
