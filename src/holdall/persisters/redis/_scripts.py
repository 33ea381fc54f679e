"""What the server does in one step: compare and swap, by scripts that it remembers by their digests."""

import hashlib
from typing import Any, Final

import redis

__all__ = ["REMOVE", "REMOVE_OURS", "STATS", "WRITE", "run"]

# Those of one item compare its head with what is expected: "" for nothing, "*" for anything. A repeated write
# after a lost answer finds its own version, and is done already.
WRITE: Final = """
local head = redis.call('GETRANGE', KEYS[1], 0, 23)
if head ~= '' and string.sub(head, 1, 16) == string.sub(ARGV[2], 1, 16) then return 1 end
if ARGV[1] ~= '*' and string.sub(head, 1, 16) ~= ARGV[1] then return head end
if ARGV[3] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
else redis.call('SET', KEYS[1], ARGV[2]) end
return 1
"""
REMOVE: Final = """
local head = redis.call('GETRANGE', KEYS[1], 0, 23)
if ARGV[1] ~= '*' and string.sub(head, 1, 16) ~= ARGV[1] then return head end
return redis.call('DEL', KEYS[1])
"""
# What others keep on the server is left alone, of whatever type it is.
REMOVE_OURS: Final = """
for _, key in ipairs(KEYS) do
  if redis.pcall('GETRANGE', key, 0, 1) == 'h1' then redis.call('DEL', key) end
end
"""
# Heads and sizes, of what is text.
STATS: Final = """
local found = {}
for i, key in ipairs(KEYS) do
  local head = redis.pcall('GETRANGE', key, 0, 23)
  if type(head) == 'string' then
    found[2 * i - 1], found[2 * i] = head, redis.call('STRLEN', key)
  else
    found[2 * i - 1], found[2 * i] = '', 0
  end
end
return found
"""
_DIGESTS: Final = {
    script: hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
    for script in (WRITE, REMOVE, REMOVE_OURS, STATS)
}


def run(client: Any, script: str, keys: list[bytes], *args: Any) -> Any:
    """Run a script by its digest, or in full where the server does not know it."""
    try:
        return client.evalsha(_DIGESTS[script], len(keys), *keys, *args)
    except redis.exceptions.NoScriptError:
        return client.eval(script, len(keys), *keys, *args)
