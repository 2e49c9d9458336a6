"""Documents for people and for other programs: invoices, reports, exports.

Belongs here: what a document says and how it looks, one file a form. Does not belong here: what
anybody owes (`stages`, `issuing`), and where results lie (`store`).
"""
