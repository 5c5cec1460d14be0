"""The pure policy machines of the core, typed: for tests, simulations and what-if questions; a module each.

What decides here is the code that decides on live traffic. Nothing reads a clock or draws a number: instants
are `now_ns`, monotonic nanoseconds, with `unix_ns` beside it where the calendar matters and says something
else, and chance is a `draw`, 64 uniform bits. Settings are frozen dataclasses, with the defaults of the
policies; durations are integers of nanoseconds, percentages numbers from 0 to 100. Numbers below zero or
above 64 bits raise `OverflowError`, unknown words `ValueError`.
"""
