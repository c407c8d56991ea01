-- post.lua - for wrk: POSTs of BENCH_BODY with BENCH_HEADERS to the paths of BENCH_PATHS (one a line each) in turn,
-- and what came of it as one line of JSON.
local requests, next = {}, 0

function init()
   wrk.method = "POST"
   wrk.body = os.getenv("BENCH_BODY")
   for name, value in os.getenv("BENCH_HEADERS"):gmatch("([^\n:]+): ([^\n]+)") do
      wrk.headers[name] = value
   end
   for path in os.getenv("BENCH_PATHS"):gmatch("[^\n]+") do
      requests[#requests + 1] = wrk.format(nil, path)
   end
end

function request()
   next = next % #requests + 1
   return requests[next]
end

function done(summary)
   local errors = summary.errors
   io.write(string.format('{"requests":%d,"seconds":%.6f,"bytes":%d,"failed":%d}\n', summary.requests,
      summary.duration / 1e6, summary.bytes,
      errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
