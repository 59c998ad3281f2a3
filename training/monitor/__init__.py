"""What is wrong with a market's data or model tonight, by cause.

tally.py marks.py    one walk over the records: counts by day, without ids            noise.py   what weeks differ by anyway
feeds.py bursts.py   dead, thin, doubled feeds; bots       tags.py     renamed utm tags
fields.py            new form defaults, lost fields        units.py    ms for s, cents for euros
rate.py              a moved base rate                     model.py    stale model, calibration by month
watch.py             all of them                           alarm.py    one sentence each
"""
