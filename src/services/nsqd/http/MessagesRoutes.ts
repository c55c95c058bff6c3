/**
 * `/messages`: shows messages without consuming them, and deletes or requeues single ones (docs/protocol/http.md#messages). NSQ has no
 * such endpoints.
 */
import { Effect, Exit, FiberSet, Schema, Scope } from "effect"
import { isUtf8 } from "node:buffer"
import { deadLetterName, defaultDeadLetter } from "../../../protocol/client/DeadLetterName.ts"
import { isChannelName } from "../../../protocol/client/Names.ts"
import { type BrowsedMessage, type MessagesPage, MessageState } from "../../../protocol/http/MessagesResponse.ts"
import * as Places from "../../core/Places.ts"
import * as Time from "../../core/Time.ts"
import { finish, Turns } from "../../core/Turns.ts"
import * as Arguments from "../../http/Arguments.ts"
import { fail, HttpFailure, internalError, json, streaming } from "../../http/HttpResponse.ts"
import type { Query, RequestTarget } from "../../http/RequestTarget.ts"
import { type HttpRequest, type Route, route } from "../../http/Router.ts"
import { closed } from "../../http/StreamedResponse.ts"
import { Broker } from "../broker/Broker.ts"
import { browse, type Browsed } from "../broker/Browsing.ts"
import { Clients } from "../broker/Clients.ts"
import { heldAt } from "../broker/HeldMessages.ts"
import type { Topic } from "../broker/Topic.ts"
import { Policies } from "../policies/Policies.ts"
import { existingChannel, topicNamed } from "./BrokerArguments.ts"
import { post } from "./BrokerRoute.ts"
import * as LogPosition from "./LogPosition.ts"
import * as MessageFilter from "./MessageFilter.ts"
import * as MessagesStream from "./MessagesStream.ts"

const limits = {
  limit: { min: 1, max: 1000, usual: 100 },
  body_bytes: { min: 0, max: 1024 * 1024, usual: 4096 },
  /** In ms. */
  budget: { min: 1, max: 30_000, usual: 5000 }
} as const

/** The most pages that are read at once, and the most streams beside them: each has up to some MB of memory and a share of the time. */
const maxReaders = 16
const tooManyReaders = () => fail(503, "TOO_MANY_READERS")

const isMessageState = Schema.is(MessageState)

/** Of a topic. */
const notFinished: ReadonlySet<MessageState> = new Set(["waiting"])

/** Returns a whole number of the query, or the usual one. */
const whole = (query: Query, name: keyof typeof limits) => {
  const { max, min, usual } = limits[name]
  const text = query.get(name)
  if (text === undefined) return Effect.succeed(usual)
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN
  return value >= min && value <= max
    ? Effect.succeed(value)
    : Effect.fail(fail(400, `INVALID_ARG_${name.toUpperCase()}: must be a whole number from ${min} to ${max}`))
}

const channelIn = Effect.fnUntraced(function*(topic: Topic, query: Query) {
  const name = query.get("channel")
  if (name === undefined) return undefined
  if (!isChannelName(name)) return yield* fail(400, "INVALID_ARG_CHANNEL")
  return topic.channel(name) ?? (yield* fail(404, "CHANNEL_NOT_FOUND"))
})

/** The wanted states; `dead` stands alone. */
const statesIn = (query: Query): Effect.Effect<ReadonlySet<MessageState> | undefined, HttpFailure> => {
  const text = query.get("state")
  if (text === undefined) return Effect.undefined
  const states = text.split(",").filter(isMessageState)
  return states.length === text.split(",").length && (states.length === 1 || !states.includes("dead"))
    ? Effect.succeed(new Set(states))
    : Effect.fail(
      fail(400, "INVALID_ARG_STATE: must be waiting, in_flight, deferred or retained, or several with commas; or dead")
    )
}

/** The path of the messages. */
export const path = "/messages"
/** The path of the stream of a range. */
export const streamPath = "/messages/stream"

/** How a stream reads its range: in parts of this many messages or ms, whichever comes first. */
const streamParts = { channel: undefined, states: undefined, limit: 1000, bodyBytes: Infinity, budget: 1000 } as const

/** The sequence of a single message of a durable topic. */
const sequenceIn = Effect.fnUntraced(function*(target: RequestTarget) {
  const text = (yield* Arguments.query(target)).get("sequence")
  if (text === undefined) return yield* fail(400, "MISSING_ARG_SEQUENCE")
  return /^\d{1,15}$/.test(text)
    ? Number(text)
    : yield* fail(400, "INVALID_ARG_SEQUENCE: must be the number of a message")
})

const notFound = fail(404, "MESSAGE_NOT_FOUND")

/** What topics without a log need is loaded for the first request for one. */
const memoryMessages = Effect.promise(() => import("./MemoryMessages.ts"))

/** Finishes a single message, whatever it is waiting for, also in flight. */
const remove = Effect.fnUntraced(function*(target: RequestTarget, time: Time.Time, turns: Turns) {
  const channel = yield* existingChannel(target)
  const { contents } = channel
  if (contents !== undefined) return yield* (yield* memoryMessages).remove(contents, target, time, turns)
  const sequence = yield* sequenceIn(target)
  const held = yield* finish(turns, heldAt(channel, sequence))
  const isDone = held?.subscription.finish(held.key) === "done" || (yield* channel.drop(sequence))
  if (!isDone) return yield* notFound
})

/** Lets a single message that is in flight or deferred wait for its next delivery. */
const requeue = Effect.fnUntraced(function*(target: RequestTarget, turns: Turns) {
  const channel = yield* existingChannel(target)
  const { contents } = channel
  if (contents !== undefined) return yield* (yield* memoryMessages).requeue(contents, target, turns)
  const sequence = yield* sequenceIn(target)
  const inFlight = Effect.map(
    finish(turns, heldAt(channel, sequence)),
    (held) => held?.subscription.requeue(held.key, 0) === "done"
  )
  // While it was looked for, it may have been delivered.
  const isDone = (yield* inFlight) || (yield* channel.release(sequence)) || (yield* inFlight)
  if (!isDone) return yield* notFound
})

/** The first byte of a character that has several in UTF-8. */
const isLead = (byte: number | undefined): boolean => byte !== undefined && byte >= 0xc2 && byte <= 0xf4

/** A body as text, if it is UTF-8: without the part of a character at the end of one that is cut. */
const textOf = (body: Buffer, isCut: boolean): string | undefined => {
  if (isUtf8(body)) return body.toString()
  const last = body.subarray(-3).findLastIndex(isLead)
  const end = Math.max(0, body.length - 3) + last
  return isCut && last >= 0 && isUtf8(body.subarray(0, end)) ? body.toString("utf8", 0, end) : undefined
}

/** The endpoints, for the services of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker | Clients | Policies | Scope.Scope> = Effect.gen(
  function*() {
    const broker = yield* Broker
    const clients = yield* Clients
    const policies = yield* Policies
    const time = yield* Time.make
    const turns = yield* Turns
    const fork = yield* FiberSet.makeRuntime<never>()
    const scope = yield* Effect.scope
    const takePagePlace = Places.make(maxReaders, tooManyReaders)
    const takeStreamPlace = Places.make(maxReaders, tooManyReaders)

    const encode = (
      { attempts, body, bodySize, due, headers, held, id, sequence, state, timestamp }: Browsed
    ): BrowsedMessage => {
      const text = textOf(body, body.length < bodySize)
      const client = clients.find(held?.consumer)?.stats().remoteAddress
      return {
        ...sequence !== undefined && { sequence },
        id,
        timestamp: String(timestamp),
        attempts,
        state,
        ...due !== undefined && { due },
        ...client !== undefined && { client },
        ...headers !== undefined && Object.keys(headers).length > 0 && { headers },
        body_size: bodySize,
        ...text === undefined ? { body_base64: body.toString("base64") } : { body: text }
      }
    }

    /** What a page is read from. */
    const sourceOf = Effect.fnUntraced(function*({ query, target }: { query: Query; target: RequestTarget }) {
      const name = yield* Arguments.topicName(target)
      const states = yield* statesIn(query)
      if (states?.has("dead") !== true) {
        const topic = yield* topicNamed(name)
        const channel = yield* channelIn(topic, query)
        if (topic.log === undefined && states?.has("retained") === true) {
          return yield* LogPosition.keepsNoFinished(topic)
        }
        // The contents are missing for a moment while the queue of the topic is replaced.
        const { contents } = channel ?? topic
        return { topic, contents: contents === undefined ? [] : [contents], channel, states }
      }
      const channel = query.get("channel")
      if (channel !== undefined && !isChannelName(channel)) return yield* fail(400, "INVALID_ARG_CHANNEL")
      const template = String(policies.inForce(name, channel).dead_letter?.value ?? defaultDeadLetter)
      if (channel === undefined && template.includes("{channel}")) return yield* fail(400, "MISSING_ARG_CHANNEL")
      const letters = deadLetterName(template, name, channel ?? "")
      const topic = broker.findTopic(letters)
      if (topic === undefined && broker.findTopic(name) === undefined) return yield* fail(404, "TOPIC_NOT_FOUND")
      // Those that the channels of the dead-letter topic have finished were published again, or consumed.
      return {
        topic,
        contents: topic === undefined ? [] : [topic, ...topic.channels].flatMap(({ contents }) => contents ?? []),
        channel: undefined,
        states: topic?.log === undefined ? undefined : notFinished,
        letters,
        origin: { topic: name, channel }
      }
    })

    const list = Effect.fnUntraced(
      function*({ target }: HttpRequest) {
        const query = yield* Arguments.query(target)
        const { channel, contents, letters, origin, states, topic } = yield* sourceOf({ query, target })
        const limit = yield* whole(query, "limit")
        const bodyBytes = yield* whole(query, "body_bytes")
        const budget = yield* whole(query, "budget")
        const filter = yield* MessageFilter.ofQuery(query)
        const ofLetters = letters === undefined ? {} : { topic: letters }
        if (topic === undefined) {
          return json({ messages: [], next: null, scanned: 0, ...ofLetters } satisfies MessagesPage)
        }
        yield* takePagePlace
        const start = query.get("from") ?? "beginning"
        const wanted = { states, limit, filter, bodyBytes, budget, ...origin !== undefined && { origin } }
        const { messages, next, scanned } = topic.log === undefined
          ? yield* (yield* memoryMessages).page(topic.name, contents, wanted, start, time, turns)
          : yield* browse(
            topic.log,
            { ...wanted, channel, from: yield* LogPosition.sequenceOf(topic.log, start, "INVALID_ARG_FROM") },
            time,
            turns
          )
        const shown = messages.map(encode)
        return json(
          {
            messages: letters === undefined ? shown : shown.map((message) => ({ ...message, state: "dead" })),
            next: next ?? null,
            scanned,
            ...ofLetters
          } satisfies MessagesPage
        )
      },
      Effect.catchTag("StorageError", () => Effect.fail(new HttpFailure({ response: internalError }))),
      (listing) => Effect.scoped(listing),
      (listing) => Effect.provideService(listing, Broker, broker)
    )

    const stream = Effect.fnUntraced(
      function*({ incoming, outgoing, target }: HttpRequest) {
        const query = yield* Arguments.query(target)
        const topic = yield* Effect.flatMap(Arguments.topicName(target), topicNamed)
        const filter = yield* MessageFilter.ofQuery(query)
        const log = yield* LogPosition.logOf(topic)
        // What waits in the topic itself belongs to the range, too: the end is that of the log, not that of its channels.
        const placeOf = (text: string, code: string) =>
          text === "end" ? Effect.succeed(log.history.end) : LogPosition.sequenceOf(log, text, code)
        const start = yield* placeOf(query.get("from") ?? "beginning", "INVALID_ARG_FROM")
        const to = yield* placeOf(query.get("to") ?? "end", "INVALID_ARG_TO")
        // A client that reconnects names the last event that it has received.
        const last = incoming.headers["last-event-id"]
        const from = typeof last === "string" && /^\d{1,15}$/.test(last) ? Math.max(start, Number(last) + 1) : start
        const read = (from: number) =>
          Effect.map(
            browse(log, { ...streamParts, from, to, filter }, time, turns),
            ({ messages, next }) => ({ messages: messages.map(encode), next })
          )
        const form = MessagesStream.formFor(incoming.headers.accept)
        // The place is taken until the response ends, even if its stream never starts.
        const own = yield* Scope.fork(scope)
        const first = yield* Effect.andThen(takeStreamPlace, read(from)).pipe(
          Scope.provide(own),
          Effect.onExit((exit) => Exit.isSuccess(exit) ? Effect.void : Scope.close(own, exit))
        )
        fork(Effect.ensuring(closed(outgoing), Scope.close(own, Exit.void)))
        return streaming(
          form.headers,
          (outgoing) => void fork(MessagesStream.send({ form, first, read, turns }, outgoing))
        )
      },
      Effect.catchTag("StorageError", () => Effect.fail(new HttpFailure({ response: internalError }))),
      (listing) => Effect.provideService(listing, Broker, broker)
    )

    const change = post(broker)
    return [
      route("GET", path, list),
      route("GET", streamPath, stream),
      change("/messages", (target) => remove(target, time, turns), "DELETE"),
      change("/messages/requeue", (target) => requeue(target, turns))
    ]
  }
)
