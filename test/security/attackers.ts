/** Attackers, the daemons that they attack, and the victims that they try to reach through these daemons. */
import { Context, Effect, Layer } from "effect"
import type * as Http from "node:http"
import * as Net from "node:net"
import type { Info } from "../../src/protocol/http/InfoResponse.ts"
import type { Producer } from "../../src/protocol/http/LookupResponse.ts"
import type { Stats } from "../../src/protocol/http/StatsResponse.ts"
import { Nsqadmin } from "../../src/services/nsqadmin/Nsqadmin.ts"
import type { NsqadminOptions } from "../../src/services/nsqadmin/NsqadminOptions.ts"
import { Nsqlookupd } from "../../src/services/nsqlookupd/Nsqlookupd.ts"
import type { NsqlookupdOptions } from "../../src/services/nsqlookupd/NsqlookupdOptions.ts"
import { fakeServer } from "../services/http/fakeServer.ts"
import { quiet } from "../services/nsqd/broker/testing.ts"
import { requestTo } from "../services/nsqd/http/api.ts"

// ---- requests of an attacker

export const sized = (body: string | Uint8Array, announced?: number): Buffer => {
  const bytes = Buffer.from(body)
  const size = Buffer.alloc(4)
  size.writeInt32BE(announced ?? bytes.length)
  return Buffer.concat([size, bytes])
}

export const identify = (fields: object): Buffer =>
  Buffer.concat([Buffer.from("IDENTIFY\n"), sized(JSON.stringify(fields))])

export const portOf = (address: string): number => Number(address.split(":")[1])

/** A connection that has sent these bytes and stays open until the test ends. */
export const connection = (address: string, bytes: string | Uint8Array) =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket>((resume) => {
      const socket = Net.connect(portOf(address), "127.0.0.1", () => {
        socket.write(bytes)
        resume(Effect.succeed(socket))
      })
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => void socket.destroy())
  )

/** Waits until the received bytes match. */
export const heard = (socket: Net.Socket, pattern: RegExp) =>
  Effect.callback<string>((resume) => {
    let text = ""
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
      if (pattern.test(text)) resume(Effect.succeed(text))
    })
    socket.on("close", () => resume(Effect.succeed(text)))
  })

export const request = (
  address: string,
  method: string,
  path: string,
  body?: string,
  headers: Http.OutgoingHttpHeaders = {}
) => requestTo({ host: "127.0.0.1", port: portOf(address) }, method, path, body, headers)

// ---- the daemons

const anyPort = { tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0" }

export const startLookupd = (options: Partial<NsqlookupdOptions> = {}) =>
  Nsqlookupd.layerWith({ ...anyPort, ...options }).pipe(
    Layer.provide(quiet),
    Layer.build,
    Effect.orDie,
    Effect.map((context) => Context.get(context, Nsqlookupd))
  )

export const startAdmin = (options: Partial<NsqadminOptions>) =>
  Nsqadmin.layerWith({ httpAddress: "127.0.0.1:0", ...options }).pipe(
    Layer.provide(quiet),
    Layer.build,
    Effect.orDie,
    Effect.map((context) => Context.get(context, Nsqadmin).httpAddress)
  )

export const json = (value: unknown): Http.RequestListener => (_, response) => response.end(JSON.stringify(value))

export const info: typeof Info.Encoded & typeof Producer.Encoded = {
  version: "1.3.0",
  broadcast_address: "127.0.0.1",
  hostname: "h",
  http_port: 1,
  tcp_port: 1
}
const stats: typeof Stats.Encoded = { version: "1.3.0", health: "OK", topics: [{ topic_name: "t", channels: [] }] }

/** An nsqd with a topic t, which passes POST requests to `post`. */
export const fakeNsqd = (post: Http.RequestListener) =>
  fakeServer((incoming, response) => {
    const http_port = portOf(incoming.headers.host ?? "")
    if (incoming.method === "POST") post(incoming, response)
    else json(incoming.url?.startsWith("/stats") === true ? stats : { ...info, http_port })(incoming, response)
  })

/** Records the requests that it receives. */
export const victim = Effect.gen(function*() {
  const requests: Array<string> = []
  const address = yield* fakeServer(({ headers, method, url }, response) => {
    requests.push(`${method} ${url} ${headers.authorization ?? ""}`)
    response.end("{}")
  })
  return { address, requests }
})
