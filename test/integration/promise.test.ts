/** `effect-nsq/promise` with an nsqd in a process of its own, used as its programs use it: without Effect. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { once } from "node:events"
import { createServer, type Socket } from "node:net"
import { afterAll, beforeAll } from "vitest"
import { encodeResponse } from "../../src/protocol/client/Frame.ts"
import {
  createConsumer,
  createProducer,
  type LogLine,
  type Message,
  NsqError,
  type Servers
} from "../../src/services/promise/index.ts"
import * as Daemon from "./daemon.ts"

const scope = Scope.makeUnsafe()
let servers: Servers = { nsqd: [] }
beforeAll(async () => {
  const started = Effect.flatMap(Daemon.temporaryDirectory, (directory) => Daemon.start(directory))
  const { tcpPort } = await Effect.runPromise(Scope.provide(started, scope))
  servers = { nsqd: [`127.0.0.1:${tcpPort}`] }
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

/** Returns what a Promise rejects with. */
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => assert.fail("it resolved"), (error: unknown) => error)

const codeOf = (error: unknown): string | undefined => error instanceof NsqError ? error.code : undefined

/** Takes messages until there are `total`, finishes them and returns their bodies, sorted. */
const take = async (messages: AsyncIterable<Message<unknown>>, total: number): Promise<ReadonlyArray<string>> => {
  const bodies: Array<string> = []
  for await (const message of messages) {
    bodies.push(message.text())
    message.finish()
    if (bodies.length === total) break
  }
  return bodies.sort()
}

const deadLetterOf = (body: Buffer): { readonly cause: string; readonly body: string } => JSON.parse(body.toString())

/** An address on which nothing listens, nor any server of another test, as on a port that was just closed. */
const unreachable = { nsqd: ["127.0.0.1:1"] }

describe("the producer and the consumer for programs without Effect", () => {
  it("every kind of publish reaches a loop over the messages", async () => {
    await using producer = createProducer({ servers })
    await producer.publish("kinds", "one")
    await producer.publish("kinds", Buffer.from("two"))
    await producer.publishAll("kinds", ["three", Buffer.from("four")])
    await producer.publishDeferred("kinds", "five", 20)
    await producer.publishAllDeferred("kinds", ["six", "seven"], 20)
    await using consumer = createConsumer({ topic: "kinds", channel: "c", servers, maxInFlight: 3 })
    assert.deepStrictEqual(await take(consumer, 7), ["five", "four", "one", "seven", "six", "three", "two"])
  })

  it("publishes that do not wait for each other are sent in their order, also those before the connection", async () => {
    await using producer = createProducer({ servers })
    const texts = Array.from({ length: 300 }, (_, i) => String(i))
    const publish = (text: string): Promise<void> => producer.publish("ordered", text)
    const early = texts.slice(0, 100).map(publish)
    await producer.ready()
    const next = texts.slice(100, 200).map(publish)
    await Promise.all(early)
    await Promise.all([...next, ...texts.slice(200).map(publish)])
    await using consumer = createConsumer({ topic: "ordered", channel: "c", servers, maxInFlight: 300 })
    const seen: Array<string> = []
    for await (const message of consumer) {
      seen.push(message.text())
      message.finish()
      if (seen.length === texts.length) break
    }
    assert.deepStrictEqual(seen, texts)
  })

  it("a connected producer refuses messages, with and without a signal, and publishes the next one", async () => {
    await using producer = createProducer({ servers })
    await producer.publish("refused", "one")
    for (const options of [{}, { key: "k" }, { signal: AbortSignal.timeout(60_000) }]) {
      assert.strictEqual(
        codeOf(await rejection(producer.publish("bad name!", "x", options))),
        "ERR_NSQ_PUBLISH_REFUSED"
      )
      assert.strictEqual(codeOf(await rejection(producer.publish("refused", "", options))), "ERR_NSQ_PUBLISH_REFUSED")
      await producer.publish("refused", "next", options)
    }
    await using consumer = createConsumer({ topic: "refused", channel: "c", servers, maxInFlight: 10 })
    assert.deepStrictEqual(await take(consumer, 4), ["next", "next", "next", "one"])
  })

  it("the functions of a message work without their object", async () => {
    await using producer = createProducer({ servers })
    await producer.publish("parts", JSON.stringify("tea"))
    await using consumer = createConsumer({ topic: "parts", channel: "c", servers })
    for await (const { finish, json, requeue, text, touch } of consumer) {
      touch()
      assert.strictEqual(json(), "tea")
      assert.strictEqual(text(), "\"tea\"")
      finish()
      requeue()
      break
    }
  })

  it("an interrupted handler finds its signal aborted, also if it reads it only then", async () => {
    await using producer = createProducer({ servers })
    await producer.publish("late", "x")
    const consumer = createConsumer({ topic: "late", channel: "c", servers, drainTimeout: 0 })
    const begun = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    const seen = Promise.withResolvers<boolean>()
    const running = consumer.run(async (_, context) => {
      begun.resolve()
      await closed.promise
      seen.resolve(context.signal.aborted)
    })
    await begun.promise
    await consumer.close()
    closed.resolve()
    assert.isTrue(await seen.promise)
    await running
  })

  it("a handler that returns finishes its message, and one that throws requeues it for another attempt", async () => {
    await using producer = createProducer({ servers })
    await producer.publish("handled", JSON.stringify({ item: "tea" }))
    await using consumer = createConsumer({ topic: "handled", channel: "c", servers })
    const seen: Array<readonly [number, unknown]> = []
    const failed = once(consumer, "failed")
    const done = Promise.withResolvers<void>()
    const running = consumer.run(async (message) => {
      seen.push([message.attempts, message.json()])
      await Promise.resolve()
      if (message.attempts === 1) throw new Error("not yet")
      done.resolve()
    }, { onError: () => ({ action: "requeue", delay: 0, backoff: false }) })
    await done.promise
    assert.deepStrictEqual(seen, [[1, { item: "tea" }], [2, { item: "tea" }]])
    const [error] = await failed
    assert.strictEqual(error instanceof Error && error.message, "not yet")
    await consumer.close()
    await running
    await using again = createConsumer({ topic: "handled", channel: "c", servers })
    await producer.publish("handled", "next")
    assert.deepStrictEqual(await take(again, 1), ["next"])
  })

  it("a message that its handler acknowledges itself is not acknowledged again", async () => {
    await using producer = createProducer({ servers })
    await producer.publish("itself", "x")
    await using consumer = createConsumer({ topic: "itself", channel: "c", servers })
    const responded: Array<boolean> = []
    const done = Promise.withResolvers<void>()
    void consumer.run((message) => {
      message.touch()
      responded.push(message.hasResponded)
      if (message.attempts === 1) message.requeue({ delay: 0, backoff: false })
      else message.finish()
      responded.push(message.hasResponded)
      if (message.attempts === 2) done.resolve()
    })
    await done.promise
    assert.deepStrictEqual(responded, [false, true, false, true])
  })

  it("messages that a program leaves behind in a loop are delivered again at once", async () => {
    await using producer = createProducer({ servers })
    await producer.publishAll("left", ["a", "b", "c", "d"])
    await using first = createConsumer({ topic: "left", channel: "c", servers, maxInFlight: 4 })
    const [taken] = await take(first, 1)
    await using second = createConsumer({ topic: "left", channel: "c", servers, maxInFlight: 4 })
    const rest = await take(second, 3)
    assert.deepStrictEqual([taken, ...rest].sort(), ["a", "b", "c", "d"])
  })

  it("a message is given up after its last attempt, and reaches the topic of dead letters with the error", async () => {
    await using producer = createProducer({ servers })
    await producer.publish("poison", "bad")
    const given: Array<string> = []
    await using consumer = createConsumer({
      topic: "poison",
      channel: "c",
      servers,
      maxAttempts: 2,
      maxBackoffDuration: 0,
      deadLetter: "poison.dead",
      onGivenUp: (message, error) => given.push(`${message.text()}: ${error instanceof Error ? error.message : ""}`)
    })
    const givenUp = once(consumer, "givenUp")
    void consumer.run(() => Promise.reject(new Error("poisonous")), {
      onError: () => ({ action: "requeue", delay: 0 })
    })
    await givenUp
    await using dead = createConsumer({ topic: "poison.dead", channel: "c", servers, decode: deadLetterOf })
    for await (const message of dead) {
      assert.strictEqual(Buffer.from(message.value.body, "base64").toString(), "bad")
      assert.match(message.value.cause, /poisonous/)
      message.finish()
      break
    }
    assert.deepStrictEqual(given, ["bad: poisonous"])
  })

  it("a message that its handler rejects becomes a dead letter of nsqd, with the reason", async () => {
    await using producer = createProducer({ servers })
    await producer.publish("rejecting", "tea")
    await using consumer = createConsumer({ topic: "rejecting", channel: "c", servers })
    const given = new Promise((resolve) => consumer.on("givenUp", (_, error) => resolve(error)))
    void consumer.run((message) => message.reject("sold out"))
    const error = await given
    assert.strictEqual(codeOf(error), "ERR_NSQ_MESSAGE_REJECTED")
    await using dead = createConsumer({ topic: "rejecting.dlq", channel: "c", servers })
    for await (const letter of dead) {
      assert.deepStrictEqual([letter.text(), letter.headers["nsq-dead-reason"]], ["tea", "sold out"])
      letter.finish()
      break
    }
  })

  it("a message that its handler rejects is not finished while onGivenUp runs", async () => {
    await using producer = createProducer({ servers })
    await producer.publishAll("audited", ["tea", "coffee"])
    await using consumer = createConsumer({
      topic: "audited",
      channel: "c",
      servers,
      onGivenUp: (message) => producer.publish("audit", message.body)
    })
    void consumer.run((message) => {
      message.reject("sold out")
      if (message.text() === "coffee") message.finish()
    })
    await using dead = createConsumer({ topic: "audited.dlq", channel: "c", servers })
    assert.deepStrictEqual(await take(dead, 2), ["coffee", "tea"])
  })

  it("retry of a consumer sets the delays of requeues, and its end gives the message up", async () => {
    await using producer = createProducer({ servers })
    await producer.publish("retried", "bad")
    await using consumer = createConsumer({
      topic: "retried",
      channel: "c",
      servers,
      maxAttempts: 0,
      maxBackoffDuration: 0,
      retry: (attempt) => attempt === 3 ? undefined : attempt
    })
    const attempts: Array<number> = []
    const givenUp = once(consumer, "givenUp")
    void consumer.run((message) => {
      attempts.push(message.attempts)
      throw new Error("always")
    })
    await givenUp
    assert.deepStrictEqual(attempts, [1, 2, 3])
  })

  it("a body that cannot be decoded does not reach the handler, and the program decides about it", async () => {
    await using producer = createProducer({ servers })
    await producer.publishAll("json", ["{", "1"])
    const undecodable: Array<string | undefined> = []
    await using consumer = createConsumer({
      topic: "json",
      channel: "c",
      servers,
      decode: (body): unknown => JSON.parse(body.toString()),
      onUndecodable: (error, message) => {
        undecodable.push(error.code, message.text())
        assert.throws(() => message.value, NsqError)
        return { action: "finish" }
      }
    })
    const value = Promise.withResolvers<unknown>()
    void consumer.run((message) => value.resolve(message.value))
    assert.strictEqual(await value.promise, 1)
    assert.deepStrictEqual(undecodable, ["ERR_NSQ_INVALID_MESSAGE", "{"])
  })

  it("batches have the size and contain every message once", async () => {
    await using producer = createProducer({ servers })
    await producer.publishAll("batches", Array.from({ length: 30 }, (_, i) => `${i}`))
    await using consumer = createConsumer({ topic: "batches", channel: "c", servers, maxInFlight: 10 })
    const bodies = new Set<string>()
    const sizes: Array<number> = []
    const done = Promise.withResolvers<void>()
    void consumer.runBatches((messages) => {
      sizes.push(messages.length)
      for (const message of messages) bodies.add(message.text())
      if (bodies.size === 30) done.resolve()
    }, { size: 10 })
    await done.promise
    assert.isAtMost(Math.max(...sizes), 10)
    assert.strictEqual(bodies.size, 30)
  })

  it("a paused consumer takes messages again after resume", async () => {
    await using producer = createProducer({ servers })
    await using consumer = createConsumer({ topic: "paused", channel: "c", servers })
    await consumer.ready()
    await consumer.pause()
    await producer.publish("paused", "x")
    const taken = take(consumer, 1)
    await consumer.setMaxInFlight(5)
    await consumer.setConcurrency(2)
    await consumer.resume()
    assert.deepStrictEqual(await taken, ["x"])
  })

  it("a signal ends a run after its handlers, a loop and a wait, which reject with its reason", async () => {
    await using producer = createProducer({ servers })
    await using consumer = createConsumer({ topic: "aborted", channel: "c", servers })
    const begun = Promise.withResolvers<void>()
    const held = Promise.withResolvers<void>()
    let finished = false
    const controller = new AbortController()
    const running = rejection(consumer.run(async () => {
      begun.resolve()
      await held.promise
      finished = true
    }, { signal: controller.signal }))
    await producer.publish("aborted", "x")
    await begun.promise
    const reason = new Error("enough")
    controller.abort(reason)
    held.resolve()
    assert.strictEqual(await running, reason)
    assert.isTrue(finished)
    assert.strictEqual(await rejection(consumer.messages({ signal: controller.signal }).next()), reason)
    const other = new AbortController()
    const waiting = rejection(consumer.messages({ signal: other.signal }).next())
    other.abort(reason)
    assert.strictEqual(await waiting, reason)
    const nobody = createProducer({ servers: unreachable })
    const publish = rejection(nobody.publish("x", "x", { signal: AbortSignal.timeout(20) }))
    assert.strictEqual(((await publish) as Error).name, "TimeoutError")
    assert.strictEqual(await rejection(nobody.ready({ signal: controller.signal })), reason)
    await nobody.close()
  })

  it("a failure is an NsqError with a code, and what a program has to know to go on", async () => {
    await using producer = createProducer({ servers })
    const refused = await rejection(producer.publish("bad name!", "x"))
    assert(refused instanceof NsqError && refused instanceof Error)
    assert.deepInclude({ ...refused }, {
      name: "NsqError",
      code: "ERR_NSQ_PUBLISH_REFUSED",
      nsqCode: "E_BAD_TOPIC",
      topic: "bad name!",
      isRetryable: false,
      mayBeDelivered: false
    })
    await using nobody = createProducer({ servers: unreachable, waitForServer: false })
    const missing = await rejection(nobody.publish("x", "x"))
    assert(missing instanceof NsqError)
    assert.strictEqual(missing.code, "ERR_NSQ_NO_SERVER")
    assert.isTrue(missing.isRetryable)
    assert.deepStrictEqual(
      missing.servers.map(({ address, error }) => [address, error.code]),
      unreachable.nsqd.map((address) => [address, "ERR_NSQ_CONNECT_FAILED"])
    )
  })

  it("after close every operation rejects, and waiting publishes do too", async () => {
    const producer = createProducer({ servers: unreachable })
    const waiting = rejection(producer.publish("x", "x"))
    const closed = once(producer, "closed")
    await producer.close()
    await closed
    assert.strictEqual(codeOf(await waiting), "ERR_NSQ_CLOSED")
    assert.strictEqual(codeOf(await rejection(producer.publish("x", "x"))), "ERR_NSQ_CLOSED")
    assert.strictEqual(codeOf(await rejection(producer.ready())), "ERR_NSQ_CLOSED")
    const consumer = createConsumer({ topic: "closed", channel: "c", servers })
    const running = consumer.run(() => {})
    await consumer.ready()
    await consumer.close()
    await consumer.close()
    await running
    assert.strictEqual(codeOf(await rejection(consumer.run(() => {}))), "ERR_NSQ_CLOSED")
    assert.strictEqual(codeOf(await rejection(consumer.messages().next())), "ERR_NSQ_CLOSED")
  })

  it("a publish that was sent and has no confirmation at the close may be delivered", async () => {
    const connections = new Set<Socket>()
    const server = createServer((socket) => {
      connections.add(socket)
      socket.on("error", () => {})
      // The response to IDENTIFY; publishes get none.
      socket.once("data", () => void socket.write(encodeResponse("OK")))
      socket.on("data", (bytes) => {
        if (bytes.includes("PUB")) server.emit("published")
      })
    }).listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    const port = typeof address === "object" ? address?.port : 0
    const producer = createProducer({ servers: { nsqd: [`127.0.0.1:${port}`] } })
    await producer.ready()
    const published = once(server, "published")
    const sent = rejection(producer.publish("x", "x"))
    await published
    await producer.close()
    const error = await sent
    assert.instanceOf(error, NsqError)
    assert.deepStrictEqual([error.code, error.mayBeDelivered], ["ERR_NSQ_UNKNOWN_OUTCOME", true])
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of connections) socket.destroy()
    await closed
  })

  it("events and log lines report connections, and the program prints nothing by itself", async () => {
    const lines: Array<LogLine> = []
    const consumer = createConsumer({ topic: "events", channel: "c", servers, log: (line) => lines.push(line) })
    const [address] = await once(consumer, "connected")
    assert.deepStrictEqual(servers, { nsqd: [address] })
    await consumer.ready()
    assert.deepStrictEqual(consumer.connected, [address])
    await consumer.close()
    const nobody = createProducer({ servers: unreachable, log: (line) => lines.push(line) })
    const [, error] = await once(nobody, "disconnected")
    assert.strictEqual(codeOf(error), "ERR_NSQ_CONNECT_FAILED")
    await nobody.close()
    assert.isTrue(lines.some(({ level, message }) => level !== "debug" && message.length > 0))
  })

  it("options that are not valid throw where the client is created", () => {
    const message = /is not valid: NSQ accepts/
    assert.throws(() => createConsumer({ topic: "a b", channel: "c", servers }), RangeError, message)
    assert.throws(() => createConsumer({ topic: "a", channel: "", servers }), RangeError, message)
    assert.throws(() => createConsumer({ topic: "a", channel: "c", servers, deadLetter: "#" }), RangeError, message)
    assert.throws(() => createProducer({ servers, publishTimeout: -1 }), RangeError, /publishTimeout must be/)
    const connection = { dialTimeout: Number.NaN }
    assert.throws(() => createProducer({ servers, connection }), RangeError, /connection.dialTimeout must be/)
  })
})
