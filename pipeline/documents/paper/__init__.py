"""Documents for people: invoices, cover pages and reports, as HTML and PDF.

Owns: what stands on a page, in which words, and how it looks. Does not own: any figure; all of them
are read from what is published and issued.
"""
