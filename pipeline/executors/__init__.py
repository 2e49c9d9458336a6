"""The one port for parallel work: anything with the standard library's `Executor` interface.

Belongs here: the executors, and choosing one by its address. Does not belong here: what is
executed. Tasks are picklable functions of names and paths; what they make goes through the store,
so one that runs twice, or was begun on a worker that is lost, changes nothing.
"""

from pipeline.executors.choice import crew_of
from pipeline.executors.crew import Crew

__all__ = ["Crew", "crew_of"]
