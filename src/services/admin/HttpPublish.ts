/** A publish over HTTP: the body of the request, and what it adds to the messages as parameters and headers (docs/protocol/http.md#pub). */
import { Duration } from "effect"
import { encodePublishedHeaders, HeadersError } from "../../protocol/client/Headers.ts"
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
  /** Headers of each message (docs/headers.md). Those that are not valid are refused with the code `INVALID_HEADERS`. Default: none. */
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

/** Returns the parameters and the headers of the request; a `HeadersError` for headers that nsqd refuses, some of which HTTP cannot carry. */
export const requestOf = (
  { dedupKey, delay, headers = {}, ttl }: HttpPublishOptions
): ({ readonly parameters: Parameters } & Pick<AdminRequest, "headers">) | HeadersError => {
  const encoded = encodePublishedHeaders(headers)
  if (encoded instanceof HeadersError) return encoded
  return {
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
  }
}

/** Returns the bytes of a message. */
export const bytesOf = (body: Uint8Array | string): Uint8Array => typeof body === "string" ? Buffer.from(body) : body

const int32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** Returns messages in the binary form of `/mpub`. */
export const batchOf = (bodies: ReadonlyArray<Uint8Array | string>): Buffer => {
  const sized = bodies.map(bytesOf).flatMap((body) => [int32(body.length), body])
  return Buffer.concat([int32(bodies.length), ...sized])
}
