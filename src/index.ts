/**
 * effect-nsq: NSQ, the distributed real-time messaging platform, on Effect.
 */

/** The broker as Layers: embed it, publish to it, consume from it. */
export * as broker from "./broker.ts"
/** What watches a broker that is embedded. */
export * as metrics from "./metrics.ts"
/** The wire protocol as Schemas and codecs. */
export * as protocol from "./protocol/index.ts"
/** The daemon nsqd as one Layer. */
export { Nsqd } from "./services/nsqd/Nsqd.ts"
/** The daemon nsqlookupd as one Layer. */
export { Nsqlookupd } from "./services/nsqlookupd/Nsqlookupd.ts"
/** The daemon nsqadmin as one Layer. */
export { Nsqadmin } from "./services/nsqadmin/Nsqadmin.ts"
/** All three in one process. */
export { Standalone } from "./services/standalone/Standalone.ts"
/** Producer, Consumer and discovery. */
export * as client from "./services/client/index.ts"
