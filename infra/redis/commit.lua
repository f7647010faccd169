-- Moves a fence together with the state it speaks of, or changes nothing.
-- KEYS: fence, keys to write, keys to delete, keys of sets.
-- ARGV: expected fence ('' = there must be none), next fence, number of keys to write, number of keys to delete,
--       the values to write, then for every set: how many members to add, how many to remove, these and those.
-- Reply: {1, next fence} when it moved, {0, stored fence ('' = none)} when it did not.
-- Only the first write can be refused (memory, read-only replica): it comes after all checks.
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= ARGV[1] then
  return {0, stored}
end

local writes, deletes = tonumber(ARGV[3]), tonumber(ARGV[4])
local chunk = 1000 -- unpack is limited to some 8000 values

-- Runs SADD with the members to add, or SREM with those to remove, of every set.
local function change_sets(command)
  local at = 5 + writes
  for i = writes + deletes + 2, #KEYS do
    local adds, removes = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
    local first, last = at + 2, at + 1 + adds
    at = at + 2 + adds + removes
    if command == 'SREM' then
      first, last = last + 1, at - 1
    end
    for from = first, last, chunk do
      redis.call(command, KEYS[i], unpack(ARGV, from, math.min(from + chunk - 1, last)))
    end
  end
end

change_sets('SADD') -- first: a member too many does no harm, and a key that is no set is refused before states change

for from = 1, writes, chunk do
  local args, n = {}, 0
  for i = from, math.min(from + chunk - 1, writes) do
    args[n + 1] = KEYS[1 + i]
    args[n + 2] = ARGV[4 + i]
    n = n + 2
  end
  redis.call('MSET', unpack(args))
end

for from = writes + 2, writes + deletes + 1, chunk do
  redis.call('DEL', unpack(KEYS, from, math.min(from + chunk - 1, writes + deletes + 1)))
end

change_sets('SREM')
redis.call('SET', KEYS[1], ARGV[2])
return {1, ARGV[2]}
