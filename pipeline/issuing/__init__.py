"""What is issued, and what corrects it: pure functions from frames to documents.

Belongs here: closing, comparing with what stands, reasons, correction documents. Does not belong
here: reading and writing the store (`close`, `correct`), and what a month comes to (`stages`).
"""
