/** Publishes with headers (docs/headers.md): the headers and the span of a publish, and the command for servers that have headers. */
import { Effect, type Tracer } from "effect"
import { dedupKeyHeader, encodePublishedLines } from "../../protocol/client/HeaderLines.ts"
import type { Encodable } from "./CommandOutput.ts"
import type { PublishOptions } from "./ProducerOptions.ts"
import { putSized } from "./Publishing.ts"

/** HPUB of one message: a command line, the headers and the body. */
export class HeadersCommand implements Encodable {
  readonly size: number
  private readonly head: Buffer
  private readonly headers: Buffer
  private readonly body: Uint8Array

  /** `line` is that of PUB or DPUB of the same message. */
  constructor(line: Buffer, headers: Buffer, body: Uint8Array) {
    const text = line.toString("latin1")
    this.head = Buffer.from(`HPUB${text.slice(text.indexOf(" "))}`)
    this.headers = headers
    this.body = body
    this.size = this.head.length + 4 + headers.length + 4 + body.length
  }

  encodeTo(out: Buffer, at: number): void {
    out.set(this.head, at)
    putSized(out, putSized(out, at + this.head.length, this.headers), this.body)
  }
}

const traceparentOf = ({ sampled, spanId, traceId }: Tracer.AnySpan): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`

/** Whether a publish has headers. */
export const isWanted = (options: PublishOptions | undefined, traceContext: boolean): boolean =>
  options?.headers !== undefined || options?.dedupKey !== undefined || traceContext

/**
 * The headers of a publish by the number of the message in its batch; `undefined` for a single one: those of its options, its key, and
 * with `traceContext` the current span, unless they have a trace context. Returns why they are not valid, if they are not.
 */
export const headersOf = (
  { dedupKey, headers }: PublishOptions = {},
  traceContext: boolean
): Effect.Effect<(index?: number) => Buffer | string> => {
  const make = (span: Tracer.AnySpan | undefined) => (index?: number) =>
    encodePublishedLines({
      ...(span === undefined ? {} : { traceparent: traceparentOf(span) }),
      ...headers,
      ...(dedupKey === undefined ? {} : { [dedupKeyHeader]: index === undefined ? dedupKey : `${dedupKey}#${index}` })
    })
  return traceContext
    ? Effect.match(Effect.currentSpan, { onSuccess: make, onFailure: () => make(undefined) })
    : Effect.succeed(make(undefined))
}
