import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Fiber } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { masked } from "../../../src/services/core/Masked.ts"
import * as HttpClients from "../../../src/services/http/HttpClients.ts"
import * as RawHttp from "../../../src/services/http/RawHttp.ts"
import type { ToolError } from "../../../src/services/tools/ToolError.ts"
import * as WebRequests from "../../../src/services/tools/WebRequests.ts"
import { fakeServer } from "../http/fakeServer.ts"

const timeout = Duration.seconds(20)
const undici = HttpClients.layerUndici(
  { httpClientConnectTimeout: Duration.seconds(2) },
  WebRequests.maxResponseSize
)
const body = Buffer.from("m")
const post = WebRequests.post("http://web/in", body, "text/plain", {})
const get = WebRequests.get("http://web/%s", body, {})

type Reply = { readonly status: number; readonly location?: string } | Error | "silent"

/** The error of undici for a connection that the server has closed. */
const closed = (bytesRead: number) =>
  Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET", socket: { bytesRead } })

/** Sends a request to a server with these responses, in order. Returns the requests that it received, and the result. */
const sent = Effect.fnUntraced(
  function*(request: HttpClientRequest.HttpClientRequest, ...replies: ReadonlyArray<Reply>) {
    const seen: Array<string> = []
    const client = HttpClient.make((request, url) => {
      const reply = replies[seen.length] ?? "silent"
      const content = request.body._tag === "Uint8Array" ? ` ${Buffer.from(request.body.body).toString()}` : ""
      const { authorization } = request.headers
      const credentials = authorization === undefined ? "" : ` ${authorization}`
      seen.push(`${request.method} ${url.href}${content}${credentials}`)
      if (reply === "silent") return Effect.never
      if (reply instanceof Error) {
        const reason = new HttpClientError.TransportError({ request, cause: reply })
        return Effect.fail(new HttpClientError.HttpClientError({ reason }))
      }
      const headers = reply.location === undefined ? {} : { location: reply.location }
      return Effect.succeed(
        HttpClientResponse.fromWeb(request, new Response(null, { status: reply.status, headers }))
      )
    })
    const sending = WebRequests.send(request, timeout).pipe(
      Effect.provideService(HttpClient.HttpClient, client),
      Effect.match({ onSuccess: () => "sent", onFailure: ({ message }) => message })
    )
    const fiber = yield* Effect.forkChild(sending)
    yield* TestClock.adjust(timeout)
    return { outcome: yield* Fiber.join(fiber), seen }
  }
)

const outcome = (request: HttpClientRequest.HttpClientRequest, ...replies: ReadonlyArray<Reply>) =>
  Effect.map(sent(request, ...replies), ({ outcome }) => outcome)

const broken = (code: string) => Object.assign(new Error(`failed with ${code}`), { code })

describe("a request with a message", () => {
  it.effect("a POST succeeds with any 2xx, and a GET with 200", () =>
    Effect.gen(function*() {
      for (const status of [200, 201, 204, 299]) assert.strictEqual(yield* outcome(post, { status }), "sent")
      for (const status of [300, 404, 500]) {
        assert.strictEqual(yield* outcome(post, { status }), `got status code ${status}`)
      }
      assert.strictEqual(yield* outcome(get, { status: 200 }), "sent")
      for (const status of [201, 204, 500]) {
        assert.strictEqual(yield* outcome(get, { status }), `got status code ${status}`)
      }
    }))

  it.effect("redirects are followed, with a GET unless the status keeps the method", () =>
    Effect.gen(function*() {
      const to = (status: number) => sent(post, { status, location: "/other" }, { status: 200 })
      assert.deepStrictEqual(yield* to(302), {
        outcome: "sent",
        seen: ["POST http://web/in m", "GET http://web/other"]
      })
      assert.deepStrictEqual((yield* to(308)).seen, ["POST http://web/in m", "POST http://web/other m"])
      const circle = yield* sent(get, ...Array.from({ length: 20 }, () => ({ status: 301, location: "/m" })))
      assert.deepStrictEqual([circle.outcome, circle.seen.length], ["got status code 301", 11])
    }))

  it.effect("other statuses, and redirects without a usable location, are not followed", () =>
    Effect.gen(function*() {
      for (const status of [300, 304, 305, 306, 399]) {
        const { outcome, seen } = yield* sent(post, { status, location: "/other" }, { status: 200 })
        assert.deepStrictEqual([outcome, seen.length], [`got status code ${status}`, 1])
      }
      assert.strictEqual(yield* outcome(post, { status: 302 }), "got status code 302")
      assert.strictEqual(yield* outcome(post, { status: 302, location: "ftp://web/" }), "got status code 302")
    }))

  it.effect("a request authenticates with the user information of its URL, which no other host receives", () =>
    Effect.gen(function*() {
      const address = "http://us%3Aer:p%40ss@web/in"
      const basic = `Basic ${Buffer.from("us:er:p@ss").toString("base64")}`
      const request = WebRequests.post(address, body, "text/plain", {})
      assert.deepStrictEqual((yield* sent(request, { status: 200 })).seen, [`POST http://web/in m ${basic}`])
      const given = WebRequests.post(address, body, "text/plain", { authorization: "Bearer x" })
      assert.deepStrictEqual((yield* sent(given, { status: 200 })).seen, ["POST http://web/in m Bearer x"])
      const { seen } = yield* sent(
        request,
        { status: 307, location: "/next" },
        { status: 307, location: "http://elsewhere/" },
        { status: 200 }
      )
      assert.deepStrictEqual(seen, [
        `POST http://web/in m ${basic}`,
        `POST http://web/next m ${basic}`,
        "POST http://elsewhere/ m"
      ])
      assert.strictEqual(
        yield* outcome(request, broken("ECONNREFUSED")),
        "POST http://web/in: failed with ECONNREFUSED"
      )
      assert.strictEqual(masked(address), "http://us%3Aer:***@web/in")
    }))

  it.effect("the given headers are sent to no other host, nor from HTTPS to HTTP", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const request = WebRequests.post("https://web/in", body, "text/plain", {
        "authorization": "Bearer x",
        "x-api-key": "y",
        "user-agent": "z"
      })
      const to = Effect.fnUntraced(function*(location: string) {
        let first = true
        const client = HttpClient.make((given) =>
          Effect.sync(() => {
            seen.push(
              Object.keys(given.headers).filter((name) => !/^(b3|traceparent)$/.test(name)).toSorted().join(" ")
            )
            const response = new Response(null, first ? { status: 307, headers: { location } } : { status: 200 })
            first = false
            return HttpClientResponse.fromWeb(given, response)
          })
        )
        yield* Effect.provideService(WebRequests.send(request, timeout), HttpClient.HttpClient, client)
        return seen.pop()
      })
      const all = "authorization content-length content-type user-agent x-api-key"
      assert.strictEqual(yield* to("/next"), all)
      assert.strictEqual(yield* to("https://web:8443/"), all)
      for (const location of ["https://elsewhere/", "https://sub.web/", "http://web/in", "//elsewhere/"]) {
        assert.strictEqual(yield* to(location), "content-length content-type user-agent", location)
      }
    }))

  it.effect("a request is repeated once when the server closes a connection that was used before", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* sent(post, closed(1), { status: 200 })).outcome, "sent")
      const twice = yield* sent(post, closed(1), closed(1))
      assert.deepStrictEqual([twice.outcome, twice.seen.length], ["POST http://web/in: other side closed", 2])
    }))

  it.effect("a request fails when the server drops the connection", () =>
    Effect.gen(function*() {
      for (const error of [closed(0), broken("ECONNRESET"), broken("EPIPE"), broken("ECONNREFUSED")]) {
        const failed = yield* sent(post, error, { status: 200 })
        assert.deepStrictEqual([failed.outcome, failed.seen.length], [`POST http://web/in: ${error.message}`, 1])
      }
    }))

  it.effect("a request fails when the response exceeds the timeout", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* outcome(post, "silent"), "POST http://web/in: request timeout")
    }))

  it("a message is escaped in a URL byte by byte", () => {
    const { url } = WebRequests.get("http://web/?a=%20%%&m=%s", Buffer.from("a b&'(\u00fc\u0000~-_.%"), {})
    assert.strictEqual(url, "http://web/?a=%20%&m=a+b%26%27%28%C3%BC%00~-_.%25")
    assert.strictEqual(WebRequests.queryEscape(Uint8Array.of(0xff)), "%FF")
  })

  it("a request has the given headers, the last of each name", () => {
    assert.deepStrictEqual(WebRequests.parseHeaders([" X-A : 1:2 ", "x-a:3", "Host: other", "Content-Length: 9"]), {
      "x-a": "3"
    })
    for (const wrong of ["none", ":v", "k:", "k: ", "a b: c", "k: a\nb"]) {
      assert.isUndefined(WebRequests.parseHeaders([wrong]), wrong)
    }
    const typed = WebRequests.post("http://web/", body, "text/plain", { "content-type": "text/html" })
    assert.strictEqual(typed.headers["content-type"], "text/html")
    assert.strictEqual(post.headers["content-type"], "text/plain")
  })
})

type Post = Parameters<typeof WebRequests.post>
type Send = (post: Post, timeout: Duration.Duration) => Effect.Effect<void, ToolError, HttpClient.HttpClient>

/** Sends as `nsq_to_http` does with undici. */
const sendRaw = Effect.fnUntraced(
  function*(destination: WebRequests.Destination, body: Uint8Array, timeout: Duration.Duration) {
    const [raw, client, clock] = [yield* RawHttp.RawHttp, yield* HttpClient.HttpClient, yield* Clock.Clock]
    assert(raw !== undefined)
    yield* WebRequests.sendRaw(raw, client, clock, destination, body, timeout)
  }
)

const senders: Readonly<Record<string, Send>> = {
  "requests by undici": (post, timeout) => WebRequests.send(WebRequests.post(...post), timeout),
  "raw requests by undici": ([address, body, type, headers], timeout) =>
    sendRaw(WebRequests.postsTo(address, type, headers), body, timeout)
}

for (const [title, send] of Object.entries(senders)) {
  describe(title, () => {
    it.live("headers and content types are sent in UTF-8", () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const address = yield* fakeServer(({ headers }, response) => {
          for (const name of ["x-name", "content-type"]) {
            seen.push(Buffer.from(String(headers[name]), "latin1").toString())
          }
          response.end()
        })
        const headers = WebRequests.parseHeaders(["X-Name: \u00e9 \u65e5"]) ?? {}
        const post: Post = [`http://${address}/`, body, "text/plain; x=\u65e5", headers]
        yield* send(post, Duration.seconds(5))
        assert.deepStrictEqual(seen, ["\u00e9 \u65e5", "text/plain; x=\u65e5"])
      }).pipe(Effect.provide(undici)))

    it.live("a request by undici fails when the server drops the connection", () =>
      Effect.gen(function*() {
        let requests = 0
        const address = yield* fakeServer(({ socket }) => {
          requests++
          socket.destroy()
        })
        const post: Post = [`http://${address}/`, body, "text/plain", {}]
        const error = yield* Effect.flip(send(post, Duration.seconds(5)))
        assert.match(error.message, /other side closed/)
        assert.strictEqual(requests, 1)
      }).pipe(Effect.provide(undici)))

    it.live("a request by undici is repeated when the server has closed the connection", () =>
      Effect.gen(function*() {
        const sockets = new Set<unknown>()
        let served = 0
        const address = yield* fakeServer(({ socket }, response) => {
          // The server accepts one request per connection without announcing it.
          if (sockets.has(socket)) return void socket.destroy()
          sockets.add(socket)
          served++
          response.end("ok")
        })
        const post: Post = [`http://${address}/`, Buffer.from("x"), "text/plain", {}]
        for (let i = 0; i < 3; i++) yield* send(post, Duration.seconds(5))
        assert.strictEqual(served, 3)
      }).pipe(Effect.provide(undici)))

    it.live("a request ends with the status when its body exceeds the limit, and closes the connection", () =>
      Effect.gen(function*() {
        const closed = yield* Deferred.make<void>()
        const address = yield* fakeServer(({ socket }, response) => {
          socket.once("close", () => Deferred.doneUnsafe(closed, Effect.void))
          const chunk = Buffer.alloc(256 * 1024)
          const write = () => {
            while (!response.destroyed && response.write(chunk)) continue
          }
          response.on("drain", write)
          write()
        })
        const post: Post = [`http://${address}/`, Buffer.from("x"), "text/plain", {}]
        // Without a timeout, only the limit can end it.
        yield* send(post, Duration.infinity)
        yield* Deferred.await(closed)
      }).pipe(Effect.provide(undici)))

    it.live("connections are reused after responses of each kind", () =>
      Effect.gen(function*() {
        const sockets = new Set<unknown>()
        let served = 0
        const address = yield* fakeServer(({ socket }, response) => {
          sockets.add(socket)
          const kind = served++ % 3
          if (kind === 0) return void response.writeHead(204).end()
          if (kind === 1) response.setHeader("content-length", 2)
          response.write("o")
          response.end("k")
        })
        const post: Post = [`http://${address}/`, Buffer.from("x"), "text/plain", {}]
        for (let i = 0; i < 12; i++) yield* send(post, Duration.seconds(5))
        assert.strictEqual(served, 12)
        // A request that follows at once may open the second one.
        assert.isAtMost(sockets.size, 2)
      }).pipe(Effect.provide(undici)))
  })
}

describe("raw requests", () => {
  const sent = (address: string, path: string, timeout: Duration.Duration) =>
    sendRaw(WebRequests.postsTo(`http://us%3Aer:pass@${address}${path}`, "text/plain", { "x-key": "1" }), body, timeout)
      .pipe(Effect.match({ onSuccess: () => "sent", onFailure: ({ message }) => message }))

  it.live("redirects are followed, with the method and the headers of the rules, and other statuses fail", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const address = yield* fakeServer((request, response) => {
        const { authorization = "", "x-key": key = "" } = request.headers
        request.on("data", () => {}).on("end", () => {
          seen.push(`${request.method} ${request.url} ${authorization} ${String(key)}`)
          const [, status = "200", location = ""] = request.url?.split("/") ?? []
          response.writeHead(Number(status), location === "" ? {} : { location: `/${location}` }).end("ok")
        })
      })
      const basic = `Basic ${Buffer.from("us:er:pass").toString("base64")}`
      assert.strictEqual(yield* sent(address, "/303/200", Duration.seconds(5)), "sent")
      assert.strictEqual(yield* sent(address, "/307/204", Duration.infinity), "sent")
      assert.deepStrictEqual(seen, [
        `POST /303/200 ${basic} 1`,
        `GET /200 ${basic} 1`,
        `POST /307/204 ${basic} 1`,
        `POST /204 ${basic} 1`
      ])
      assert.strictEqual(yield* sent(address, "/500", Duration.seconds(5)), "got status code 500")
      assert.strictEqual(yield* sent(address, "/304/200", Duration.seconds(5)), "got status code 304")
      assert.strictEqual(yield* sent(address, "/302", Duration.seconds(5)), "got status code 302")
    }).pipe(Effect.provide(undici)))

  it.live("a server that does not respond, and one that does not exist, are named in the error", () =>
    Effect.gen(function*() {
      const address = yield* fakeServer(() => {})
      assert.strictEqual(
        yield* sent(address, "/in", Duration.millis(50)),
        `POST http://${address}/in: request timeout`
      )
      assert.match(
        yield* sent("127.0.0.1:1", "/in", Duration.seconds(5)),
        /^POST http:\/\/127\.0\.0\.1:1\/in: .*ECONNREFUSED/
      )
    }).pipe(Effect.provide(undici)))

  it.live("a GET has the message in its URL, and succeeds with 200 only", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const address = yield* fakeServer(({ method, url }, response) => {
        seen.push(`${method} ${url}`)
        response.writeHead(seen.length === 1 ? 200 : 204).end()
      })
      const destination = WebRequests.getsFrom(`http://${address}/?m=%s`, {})
      yield* sendRaw(destination, Buffer.from("a b"), Duration.seconds(5))
      const { message } = yield* Effect.flip(sendRaw(destination, Buffer.from("c"), Duration.seconds(5)))
      assert.strictEqual(message, "got status code 204")
      assert.deepStrictEqual(seen, ["GET /?m=a+b", "GET /?m=c"])
    }).pipe(Effect.provide(undici)))

  it.live("an interruption ends the request", () =>
    Effect.gen(function*() {
      const closed = yield* Deferred.make<void>()
      const arrived = yield* Deferred.make<void>()
      const address = yield* fakeServer(({ socket }) => {
        socket.once("close", () => Deferred.doneUnsafe(closed, Effect.void))
        Deferred.doneUnsafe(arrived, Effect.void)
      })
      const sending = yield* Effect.forkChild(sent(address, "/in", Duration.infinity), { startImmediately: true })
      yield* Deferred.await(arrived)
      yield* Fiber.interrupt(sending)
      yield* Deferred.await(closed)
    }).pipe(Effect.provide(undici)))
})
