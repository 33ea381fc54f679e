print('hello')

# === holdall data 1: kept by this script, edit above this line ===
# compacted #: 18ebd62efe12ca33 b5cd98af
# count = 1 #: 18ebd62efe112c57 da3ef918
# raw = pickle gAWVBAAAAAAAAABDAJQu #: 18ebd62efe112c59 7dd96510
# count = 3 #: 18ebd62efe78171e 7dbaa557
# "!('x', 1)" = pickle gAWVCgAAAAAAAACPlCiMAsOplJAu #: 18ebd62efe78171f f161c498
# raw = pickle gAWVBgAAAAAAAABDAgD/lC4= #: 18ebd62efe781720 bf694db9
# a/b = {"list": [1.5, null]} #: 18ebd62efe781721 1557ba38
# later = 1 #: 18ebd62efe794658 153462c8
# later deleted #: 18ebd62efe79a703 5d3e8044
