/** What a publish over HTTP adds to its messages, as parameters and headers of the request (docs/protocol/http.md#pub). */
import { Duration } from "effect"
import * as GoDuration from "../core/GoDuration.ts"
import type { AdminRequest, Parameters } from "./AdminRequests.ts"

/**
 * What `publishAll` adds to its messages. NSQ's nsqd ignores it.
 *
 * @since 0.2.0
 * @category models
 */
export interface HttpBatchOptions {
  /** Time-to-live of each message (docs/policies.md#time-to-live). Default: that of the policies. */
  readonly ttl?: Duration.Input
  /** Headers of each message (docs/headers.md). Default: none. */
  readonly headers?: Readonly<Record<string, string>>
  /** The key by which nsqd stores the publish once (docs/headers.md#de-duplication). Default: none. */
  readonly dedupKey?: string
}

/**
 * What `publish` adds to a message. NSQ's nsqd has the delay only.
 *
 * @since 0.2.0
 * @category models
 */
export interface HttpPublishOptions extends HttpBatchOptions {
  /** Delay of the delivery, in whole milliseconds. Default: none. */
  readonly delay?: Duration.Input
}

/** Headers of requests that become headers of the message under their own names. */
const ofTraces = new Set(["traceparent", "tracestate"])

/** HTTP carries bytes in headers; nsqd reads them as UTF-8. */
const byteString = (text: string): string => Buffer.from(text).toString("latin1")

/** Returns the parameters and the headers of the request. */
export const requestOf = (
  { dedupKey, delay, headers = {}, ttl }: HttpPublishOptions
): { readonly parameters: Parameters } & Pick<AdminRequest, "headers"> => ({
  parameters: {
    defer: delay === undefined ? undefined : Math.round(Duration.toMillis(Duration.fromInputUnsafe(delay))),
    ttl: ttl === undefined ? undefined : GoDuration.format(Duration.fromInputUnsafe(ttl)),
    dedup_key: dedupKey
  },
  headers: Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      ofTraces.has(name.toLowerCase()) ? name : `Nsq-Header-${name}`,
      byteString(value)
    ])
  )
})
