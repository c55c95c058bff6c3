/**
 * `effect-nsq/promise`: a producer and a consumer for programs that do not use Effect: promises, async iteration, `await using`,
 * events and AbortSignal. For nsqd, this project's or NSQ's own.
 */

export type { TlsOptions } from "../client/TlsOptions.ts"
export { type Consumer, createConsumer } from "./Consumer.ts"
export type {
  BatchOptions,
  ConsumerEvents,
  ConsumerOptions,
  Decoding,
  DeduplicateOptions,
  HandlerContext,
  RunOptions
} from "./ConsumerOptions.ts"
export type { Decision, Message, RequeueOptions } from "./Message.ts"
export { NsqError, type NsqErrorCode, type NsqErrorDetails } from "./NsqError.ts"
export type { Cancellable, ClientOptions, ConnectionOptions, LogLine, Servers } from "./Options.ts"
export {
  createProducer,
  type Producer,
  type ProducerEvents,
  type ProducerOptions,
  type PublishOptions
} from "./Producer.ts"
export type { Retry, RetryOptions } from "./Retry.ts"
