-- KEYS[1]  what one key used: a hash of r<part> and t<part>, the requests and tokens of a part of the window
-- ARGV     length of a part in ms, parts of a window, then
--          'take', tokens, limit of requests, limit of tokens; -1 for none
--          'more', tokens
--          'less', the part it was taken in, requests, tokens
-- Only the server's clock counts, so all who ask agree on the time.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local length, parts = tonumber(ARGV[1]), tonumber(ARGV[2])
local current = math.floor(now / length)
local name = string.format('%.0f', current)

local function add(kind, amount)
    redis.call('HINCRBY', KEYS[1], kind .. name, amount)
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', (parts + 2) * length))
end

if ARGV[3] == 'more' then
    add('t', ARGV[4])
    return 1
end
if ARGV[3] == 'less' then
    for kind, amount in pairs({ r = ARGV[5], t = ARGV[6] }) do
        local held = tonumber(redis.call('HGET', KEYS[1], kind .. ARGV[4]) or '0')
        local back = math.min(held, tonumber(amount))
        if back > 0 then redis.call('HINCRBY', KEYS[1], kind .. ARGV[4], string.format('%.0f', -back)) end
    end
    return 1
end

local used = { r = { sum = 0, uses = {} }, t = { sum = 0, uses = {} } }
local newest = nil
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
    local kind, part, amount = used[fields[i]:sub(1, 1)], tonumber(fields[i]:sub(2)), tonumber(fields[i + 1])
    -- A use at the end of its part is in the window for as long as its part and all others.
    if part < current - parts then
        redis.call('HDEL', KEYS[1], fields[i])
    elseif amount > 0 then
        kind.sum = kind.sum + amount
        table.insert(kind.uses, { part, amount })
        newest = math.max(newest or part, part)
    end
end

-- After how many ms an amount fits; 0 for now, -1 for never.
local function wait(kind, amount, limit)
    if limit < 0 then return 0 end
    if amount > limit then return -1 end
    local over = kind.sum + amount - limit
    if over <= 0 then return 0 end
    table.sort(kind.uses, function(a, b) return a[1] < b[1] end)
    for _, use in ipairs(kind.uses) do
        over = over - use[2]
        if over <= 0 then return (use[1] + parts + 1) * length - now end
    end
    return -1
end

-- After how many ms nothing counts any more.
local function reset()
    return newest and (newest + parts + 1) * length - now or 0
end

local tokens, requests_limit, tokens_limit = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local requests_left, tokens_left = requests_limit - used.r.sum, tokens_limit - used.t.sum
local for_request = wait(used.r, 1, requests_limit)
if for_request ~= 0 then return { 0, 0, for_request, reset(), requests_left, tokens_left } end
local for_tokens = wait(used.t, tokens, tokens_limit)
if for_tokens ~= 0 then return { 0, 1, for_tokens, reset(), requests_left, tokens_left } end

add('r', 1)
if tokens_limit >= 0 and tokens > 0 then add('t', ARGV[4]) end
newest = math.max(newest or current, current)
return { 1, current, reset(), requests_left - 1, tokens_left - tokens }
