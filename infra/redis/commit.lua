-- Moves a fence together with the state it speaks of, or changes nothing.
-- KEYS: fence, keys to write, keys to delete.
-- ARGV: expected fence ('' = there must be none), next fence, number of keys to write, their values.
-- Reply: {1, next fence} when it moved, {0, stored fence ('' = none)} when it did not.
-- Only the first write can be refused (memory, read-only replica): it comes after all checks.
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= ARGV[1] then
  return {0, stored}
end

local writes = tonumber(ARGV[3])
local chunk = 1000 -- unpack is limited to some 8000 values

for from = 1, writes, chunk do
  local args, n = {}, 0
  for i = from, math.min(from + chunk - 1, writes) do
    args[n + 1] = KEYS[1 + i]
    args[n + 2] = ARGV[3 + i]
    n = n + 2
  end
  redis.call('MSET', unpack(args))
end

for from = writes + 2, #KEYS, chunk do
  redis.call('DEL', unpack(KEYS, from, math.min(from + chunk - 1, #KEYS)))
end

redis.call('SET', KEYS[1], ARGV[2])
return {1, ARGV[2]}
