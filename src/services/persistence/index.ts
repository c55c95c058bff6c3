/**
 * `effect-nsq/persistence`: stores for Effect's `PersistedQueue` and `DurableQueue`.
 */

/** The stores. */
export * as NsqPersistedQueue from "./NsqPersistedQueue.ts"
/** Where the ids of elements are kept. */
export { type IdState, QueueLedger } from "./QueueLedger.ts"
