/**
 * Requests without a client of Effect, for a tool that sends one for each message: only the status and the location of the response
 * are of use, the body is read and dropped. A fiber waits for one callback; nothing is decoded or copied (measured with
 * `nsq_to_http`: a third less CPU time per message).
 */
import type * as Undici from "@effect/platform-node/Undici"
import { Context, Data, Effect } from "effect"

/** A request. */
export interface RawRequest {
  /** `http://host:port`. */
  readonly origin: string
  /** Path and query. */
  readonly path: string
  readonly method: "GET" | "POST"
  /** Names and values in turn. */
  readonly headers: Array<string>
  readonly body: Uint8Array | null
}

/** What is of use in a response. */
export interface RawResponse {
  readonly status: number
  /** Empty if the response has no such header. */
  readonly location: string
}

/** No response has arrived: `undefined` as cause after the timeout, otherwise the error of the connection. */
export class RawHttpError extends Data.TaggedError("RawHttpError")<{ readonly cause: unknown }> {}

/**
 * Sends a request. The timeout is for the response until its headers, including connecting, and once more for its body; Infinity for
 * none. Once the headers have arrived, the request succeeds, whatever becomes of the body.
 */
export type Send = (request: RawRequest, timeoutMillis: number) => Effect.Effect<RawResponse, RawHttpError>

/** How raw requests are sent. Default: not at all, so that requests need an `HttpClient`. */
export const RawHttp: Context.Reference<Send | undefined> = Context.Reference("effect-nsq/http/RawHttp", {
  defaultValue: (): Send | undefined => undefined
})

type Resume = (result: Effect.Effect<RawResponse, RawHttpError>) => void

const ended = new Error("the request has ended")

class Exchange implements Undici.Dispatcher.DispatchHandler {
  private status = 0
  private location = ""
  private controller: Undici.Dispatcher.DispatchController | undefined
  private timer: NodeJS.Timeout | undefined
  private hasEnded = false
  private readonly resume: Resume
  private readonly timeoutMillis: number

  constructor(timeoutMillis: number, resume: Resume) {
    this.timeoutMillis = timeoutMillis
    this.resume = resume
    this.wait()
  }

  private wait(): void {
    if (!Number.isFinite(this.timeoutMillis)) return
    this.timer = setTimeout(() => {
      this.end(undefined)
      this.abort()
    }, this.timeoutMillis)
  }

  private end(cause: unknown): void {
    if (this.hasEnded) return
    this.hasEnded = true
    clearTimeout(this.timer)
    const { location, status } = this
    this.resume(status > 0 ? Effect.succeed({ status, location }) : Effect.fail(new RawHttpError({ cause })))
  }

  /** Ends the request and its connection, if it has begun. */
  abort(): void {
    this.hasEnded = true
    clearTimeout(this.timer)
    this.controller?.abort(ended)
  }

  onRequestStart(controller: Undici.Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.hasEnded) controller.abort(ended)
  }

  onResponseStart(
    _: Undici.Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | Array<string> | undefined>
  ): void {
    // The real response follows.
    if (status < 200) return
    this.status = status
    const { location } = headers
    if (typeof location === "string") this.location = location
    clearTimeout(this.timer)
    this.wait()
  }

  onResponseData(): void {}

  onResponseEnd(): void {
    this.end(undefined)
  }

  onResponseError(_: Undici.Dispatcher.DispatchController, error: Error): void {
    this.end(error)
  }
}

/** Returns the function that sends with connections of `dispatcher`. */
export const make = (dispatcher: Undici.Dispatcher): Send => ({ body, headers, method, origin, path }, timeoutMillis) =>
  Effect.callback((resume) => {
    const exchange = new Exchange(timeoutMillis, resume)
    dispatcher.dispatch({ origin, path, method, headers, body, headersTimeout: 0, bodyTimeout: 0 }, exchange)
    return Effect.sync(() => exchange.abort())
  })
