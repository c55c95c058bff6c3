/**
 * nsqd's HTTP API on a free port over a broker in memory, and a plain HTTP client for it.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import * as Http from "node:http"
import * as Net from "node:net"
import { DaemonState } from "../../../../src/services/core/DaemonState.ts"
import { ProcessFigures } from "../../../../src/services/core/ProcessFigures.ts"
import { LogOutput } from "../../../../src/services/logging/LogOutput.ts"
import * as NsqLogger from "../../../../src/services/logging/NsqLogger.ts"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { Clients } from "../../../../src/services/nsqd/broker/Clients.ts"
import { Publisher } from "../../../../src/services/nsqd/broker/Publisher.ts"
import { NsqdHttp } from "../../../../src/services/nsqd/http/NsqdHttp.ts"
import { Prometheus } from "../../../../src/services/nsqd/http/Prometheus.ts"
import * as NsqdOptions from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import { RuntimeOptions } from "../../../../src/services/nsqd/options/RuntimeOptions.ts"
import { ProcessMemory } from "../../../../src/services/nsqd/stats/ProcessMemory.ts"
import * as DiskStorage from "../../../../src/services/nsqd/storage/DiskStorage.ts"
import { Storage } from "../../../../src/services/nsqd/storage/Storage.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"

export interface Reply {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly text: string
}

export interface Api {
  readonly port: number
  readonly broker: Broker["Service"]
  readonly clients: Clients["Service"]
  readonly daemon: DaemonState["Service"]
  /** The log lines so far. */
  readonly log: ReadonlyArray<string>
  readonly request: (method: string, path: string, body?: string | Buffer) => Effect.Effect<Reply>
  /** Sends the body in chunks without Content-Length. */
  readonly chunked: (path: string, chunks: ReadonlyArray<string>) => Effect.Effect<Reply>
  /**
   * Writes bytes on a new connection, closes this side of it after that many complete responses, by default one, and returns the
   * received bytes when the server has closed the other side.
   */
  readonly raw: (bytes: string, responses?: number) => Effect.Effect<string>
  readonly stats: (query?: string) => Effect.Effect<string>
}

const send = (options: Http.RequestOptions, write: (request: Http.ClientRequest) => void): Effect.Effect<Reply> =>
  Effect.callback((resume) => {
    const request = Http.request({ agent: false, ...options }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () =>
        resume(Effect.succeed({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString()
        })))
    })
    request.on("error", (error) => resume(Effect.die(error)))
    write(request)
  })

export const requestTo = (
  address: Http.RequestOptions,
  method: string,
  path: string,
  body?: string | Buffer,
  more: Http.OutgoingHttpHeaders = {}
): Effect.Effect<Reply> => {
  const headers = body === undefined ? more : { ...more, "content-length": Buffer.byteLength(body) }
  return send({ ...address, method, path, headers }, (request) => void request.end(body))
}

/** Returns the end of the response whose head and body begin here; `undefined` while it is not complete. */
const endOf = (text: string, head: number, body: number): number | undefined => {
  const fields = text.slice(head, body)
  // A subscription has no end.
  if (/^HTTP\/1\.1 1|\r\nContent-Type: text\/event-stream/i.test(fields)) return body
  if (/\r\nTransfer-Encoding: chunked/i.test(fields)) {
    const last = text.indexOf("\r\n0\r\n\r\n", body - 2)
    return last < 0 ? undefined : last + 7
  }
  // Without a length the end of the connection is the end of the body.
  const end = body + Number(/\r\nContent-Length: (\d+)/i.exec(fields)?.[1] ?? Infinity)
  return text.length < end ? undefined : end
}

/** Returns the number of complete responses. */
const completeResponses = (text: string): number => {
  let count = 0
  for (let at = 0;; count++) {
    const blank = text.indexOf("\r\n\r\n", at)
    const end = blank < 0 ? undefined : endOf(text, at, blank + 4)
    if (end === undefined) return count
    at = end
  }
}

const exchange = (port: number, bytes: string, responses: number): Effect.Effect<string> =>
  Effect.callback((resume) => {
    let text = ""
    const socket = Net.connect(port, "127.0.0.1", () => socket.write(bytes, "latin1"))
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
      if (completeResponses(text) >= responses) socket.end()
    })
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(text)))
    return Effect.sync(() => void socket.destroy())
  })

/** Storage on a disk in memory, for durable topics. */
const onDisk = DiskStorage.layer.pipe(
  Layer.provide(FaultyDisk.layer),
  Layer.provide(NsqdOptions.layer({ dataPath: "/data" }))
)

/** In-memory storage that reports a failure; without one, storage that durable topics can use if the options have any. */
const storage = (failure: string | undefined, durability: string | undefined): Layer.Layer<Storage> =>
  failure === undefined
    ? durability === undefined ? Storage.layerMemory : onDisk
    : Layer.effect(Storage, Effect.map(Storage, (service) => ({ ...service, health: Effect.succeed(failure) }))).pipe(
      Layer.provide(Storage.layerMemory)
    )

/** A daemon without a TCP listener, with the given options; HTTP listens on a free port by default. */
export const layer = (
  options: Partial<NsqdOptions.NsqdOptions> = {},
  publisher: Layer.Layer<Publisher, never, Broker> = Publisher.layer,
  failure?: string
) =>
  NsqdHttp.layer.pipe(
    Layer.provideMerge(Prometheus.layer),
    Layer.provideMerge(Layer.merge(ProcessMemory.layer, ProcessFigures.layer)),
    Layer.provideMerge(
      Layer.mergeAll(
        publisher,
        Clients.layer,
        DaemonState.layer,
        RuntimeOptions.layer
      )
    ),
    Layer.provideMerge(Broker.layer),
    Layer.provideMerge(storage(failure, options.durability)),
    Layer.provide(NsqdOptions.layer({ httpAddress: "127.0.0.1:0", ...options }))
  )

/** Serves the API until the end of the test; with a `failure`, its storage reports it. */
export const serve = (
  options: Partial<NsqdOptions.NsqdOptions> = {},
  publisher?: Layer.Layer<Publisher, never, Broker>,
  failure?: string
): Effect.Effect<Api, never, Scope.Scope> =>
  Effect.gen(function*() {
    const log: Array<string> = []
    const logging = NsqLogger.layer({ level: options.logLevel ?? "info", prefix: "", format: "nsq" }).pipe(
      Layer.provide(Layer.succeed(LogOutput, { write: (line) => void log.push(line) }))
    )
    const context = yield* Effect.orDie(Layer.build(layer(options, publisher, failure).pipe(Layer.provide(logging))))
    const { port } = Context.get(context, NsqdHttp)
    const address = { host: "127.0.0.1", port }
    const request: Api["request"] = (method, path, body) => requestTo(address, method, path, body)
    return {
      port,
      broker: Context.get(context, Broker),
      clients: Context.get(context, Clients),
      daemon: Context.get(context, DaemonState),
      log,
      request,
      chunked: (path, chunks) =>
        send({ ...address, method: "POST", path }, (outgoing) => {
          for (const chunk of chunks) outgoing.write(chunk)
          outgoing.end()
        }),
      raw: (bytes, responses = 1) => exchange(port, bytes, responses),
      stats: (query = "") =>
        Effect.map(request("GET", `/stats?format=json&include_mem=false${query}`), ({ text }) => text)
    }
  })

/** Status and body as one line. */
export const outcome = ({ status, text }: Reply): string => `${status} ${text}`.trim()

/** An error response as `outcome` shows it. */
export const refusal = (status: number, code: string): string => `${status} {"message":"${code}"}`
