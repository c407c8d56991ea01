// The server SDK: `node server.mjs released|newest BASE_URL`, with the provider as it is released, or with the newest
// ofrep-core, for which no provider is released, behind the smallest provider that can be.
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OFREPApi, handleEvaluationError, toResolutionDetails } from 'ofrep-core-newest';
import { details, method, serve } from './lines.mjs';

class NewestProvider {
  metadata = { name: 'ofrep-core' };

  constructor({ baseUrl }) {
    this.api = new OFREPApi({ baseUrl });
    for (const type of ['Boolean', 'String', 'Number', 'Object']) {
      this[`resolve${type}Evaluation`] = (key, fallback, context) => this.resolve(key, fallback, context);
    }
  }

  async resolve(key, fallback, context) {
    const { httpStatus, value } = await this.api.postEvaluateFlag(key, { context });
    return (httpStatus === 200 ? toResolutionDetails : handleEvaluationError)(value, fallback);
  }
}

const [which, baseUrl] = process.argv.slice(2);
const provider = which === 'newest' ? new NewestProvider({ baseUrl }) : new OFREPProvider({ baseUrl });
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();
client.setLogger({ error() {}, warn() {}, info() {}, debug() {} });

await serve(async (request) =>
  details(await client[method(request.type)](request.flag, request.default, request.context ?? undefined)));
