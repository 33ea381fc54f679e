import datetime
import holdall

runs = holdall.Value(0)
log = holdall.Value([])
day = holdall.Value(datetime.date(2026, 1, 1))
runs.value += 1
log.value = [*log.value, str(runs.value)][-2:]
if runs.value == 1:
    day.value = datetime.date(2026, 1, 2)
print(runs.value, log.value, day.value)

# === holdall data 1: kept by this script, edit above this line ===
# runs = 1 #: 18ebd62f034ef114 2a2cdafa
# log = ["1"] #: 18ebd62f0352d247 288b1864
# day = date 2026-01-02 #: 18ebd62f0353761e e0396693
# runs = 2 #: 18ebd62f090214e1 1a4ccfb5
# log = ["1", "2"] #: 18ebd62f09036f69 9595bb97
