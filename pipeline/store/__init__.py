"""The only package that writes artifacts.

Owns: landed exports (`landing`), what buckets came to (`work`), published results (`results`), the
lock (`lock`). Does not own: what any of it means.
"""
