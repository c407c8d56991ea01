// The web SDK: `node web.mjs BASE_URL [POLL_MILLISECONDS] [events]`. It has all flags evaluated at once, when the context
// changes and when the page is looked at again; what it asks of weir for that is told by {"do": "requests"}.
import { details, method, serve } from './lines.mjs';

// All of a browser that the provider looks at: a document that can be shown.
globalThis.document = Object.assign(new EventTarget(), { visibilityState: 'visible' });

const { OpenFeature, ProviderEvents } = await import('@openfeature/web-sdk');
const { OFREPWebProvider } = await import('@openfeature/ofrep-web-provider');

const [baseUrl, pollInterval = '0', streams] = process.argv.slice(2);
let requests = []; // since they were last told
let changed = []; // flags that the provider said have changed, since that was last told
const events = new EventTarget(); // "answered" by weir, "changed" by the provider

const next = (name) => new Promise((resolve) => events.addEventListener(name, resolve, { once: true }));

// Node.js has no EventSource; without one the provider does not open the stream that weir announces.
const opened = []; // URLs of streams that have been answered, the same again for each time
if (streams === 'events') {
  const { EventSource } = await import('eventsource');
  globalThis.EventSource = class extends EventSource {
    constructor(url, options) {
      super(url, options);
      this.addEventListener('open', () => opened.push(new URL(url).pathname));
    }
  };
}

async function watchedFetch(request, options) {
  const response = await fetch(request, options);
  await response.clone().arrayBuffer(); // so that the provider has it all when it is told
  requests.push({
    path: new URL(request.url).pathname,
    query: new URL(request.url).search,
    condition: request.headers.get('if-none-match'),
    status: response.status,
    etag: response.headers.get('etag'),
  });
  setTimeout(() => events.dispatchEvent(new Event('answered')));
  return response;
}

function tell() {
  const told = { requests, changed };
  [requests, changed] = [[], []];
  return told;
}

const silent = { error() {}, warn() {}, info() {}, debug() {} };
OpenFeature.setLogger(silent);
OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, ({ flagsChanged }) => {
  changed.push(...flagsChanged);
  events.dispatchEvent(new Event('changed'));
});
let context = '{}';
const provider = new OFREPWebProvider({
  baseUrl,
  pollInterval: Number(pollInterval),
  fetchImplementation: watchedFetch,
  cacheMode: 'disabled', // what a browser keeps from visit to visit would answer before weir does
});
await OpenFeature.setProviderAndWait(provider).catch(() => {}); // an error is told by every answer
const client = OpenFeature.getClient();

async function evaluate(request) {
  const wanted = JSON.stringify(request.context ?? {});
  if (wanted !== context) {
    await OpenFeature.setContext(request.context ?? {});
    context = wanted;
  }
  return details(client[method(request.type)](request.flag, request.default));
}

/** The page is looked at again: ends when weir has answered, and the provider has taken what is new. */
async function look() {
  const [answered, taken] = [next('answered'), next('changed')];
  document.dispatchEvent(new Event('visibilitychange'));
  await answered;
  if (requests.at(-1).status === 200) await taken;
  return tell();
}

await serve(evaluate, { look, requests: tell, opened: () => opened });
await OpenFeature.close();
