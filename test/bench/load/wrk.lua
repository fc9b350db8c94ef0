-- Sends the requests of a file, one after the other. Environment: BENCH_FOLDER holds a file for each thread;
-- BENCH_ORDER is "repeat" or "once"; BENCH_SERVERS lists host:port, and the threads take them in turn.
local count = 0

function setup(thread)
  thread:set("number", count)
  local servers = {}
  for host, port in os.getenv("BENCH_SERVERS"):gmatch("([^,:]+):(%d+)") do
    servers[#servers + 1] = { host, port }
  end
  local server = servers[count % #servers + 1]
  thread.addr = wrk.lookup(server[1], server[2])[1]
  count = count + 1
end

local data, position, last, again

function init()
  local file = assert(io.open(os.getenv("BENCH_FOLDER") .. "/requests-" .. number, "rb"))
  data = file:read("*a")
  file:close()
  position = 1
  again = os.getenv("BENCH_ORDER") == "repeat"
end

function request()
  if position > #data then
    if again then
      position = 1
    else
      wrk.thread:stop()
      return last
    end
  end
  local length = tonumber(data:sub(position, position + 7))
  last = data:sub(position + 8, position + 7 + length)
  position = position + 8 + length
  return last
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"duration_us":%d,"status":%d,"socket":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
