-- Deletes a fence, or keys of an incarnation that the fence does not name.
-- KEYS: fence, keys to delete (none: the fence itself).
-- ARGV: a text that the fence must hold, for it to be deleted; or must not hold, for the keys to be.
-- Reply: {how many keys were deleted, stored fence before ('' = none)}.
local stored = redis.call('GET', KEYS[1]) or ''
local holds = stored ~= '' and string.find(stored, ARGV[1], 1, true) ~= nil

if #KEYS == 1 then
  if holds then
    return {redis.call('DEL', KEYS[1]), stored}
  end
  return {0, stored}
end

if holds then
  return {0, stored}
end
return {redis.call('UNLINK', unpack(KEYS, 2)), stored}
