"""One file a stage, and the order they stand in (`STAGES`, in `stages.order`).

Owns: taking named frames to named frames, by the rules. Does not own: the rules, the store.
"""
