/** What the browser of messages shows of memory topics, compared to the model of a channel after each step. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import * as Time from "../../../../src/services/core/Time.ts"
import { unlimited } from "../../../../src/services/core/Turns.ts"
import { everywhere } from "../../../../src/services/nsqd/broker/BodySearch.ts"
import * as BrowseCursor from "../../../../src/services/nsqd/broker/BrowseCursor.ts"
import type { Browsed, PageQuery } from "../../../../src/services/nsqd/broker/Browsing.ts"
import { browseMemory } from "../../../../src/services/nsqd/broker/MemoryBrowsing.ts"
import type { ChannelContents, MemoryContents } from "../../../../src/services/nsqd/broker/MemoryContents.ts"
import * as SingleMessages from "../../../../src/services/nsqd/broker/SingleMessages.ts"
import type { Topic } from "../../../../src/services/nsqd/broker/Topic.ts"
import { channelNames, quietly, run, type World } from "./channelLife.ts"
import { type ChannelModel, type MessageModel, Step } from "./ChannelModel.ts"

const all: PageQuery = {
  states: undefined,
  limit: 3,
  filter: { search: everywhere, matches: () => true },
  bodyBytes: 100,
  budget: 1000
}

/** All pages, one after another. */
const pagesOf = Effect.fnUntraced(function*(contents: MemoryContents, query: Partial<PageQuery> = {}) {
  const time = yield* Time.make
  const messages: Array<Browsed> = []
  for (let from: string | undefined = "";;) {
    const page: { readonly messages: ReadonlyArray<Browsed>; readonly next: string | undefined } = yield* browseMemory(
      [contents],
      { ...all, ...query },
      BrowseCursor.decode(from),
      time,
      unlimited
    )
    assert.isAtMost(page.messages.length, query.limit ?? all.limit)
    messages.push(...page.messages)
    if (page.next === undefined) return messages
    from = page.next
  }
})

const shown = ({ attempts, body, due, held, state }: Browsed) =>
  `${body} ${state} after ${attempts} until ${due ?? "now"}${held === undefined ? "" : ", held"}`

const expected = ({ attempts, body, deadline, holder, place }: MessageModel) =>
  `${body} ${place.replace(" ", "_")} after ${attempts} until ${place === "deferred" ? deadline : "now"}${
    holder === undefined || holder.gone ? "" : ", held"
  }`

/** Deletes or requeues one of the messages of a channel, in the broker and in the model. */
const changeOne = Effect.fnUntraced(function*(
  contents: ChannelContents,
  model: ChannelModel,
  messages: ReadonlyArray<Browsed>,
  chance: number
) {
  const message = messages[chance % Math.max(1, messages.length)]
  if (message === undefined) return
  const body = message.body.toString()
  const ofModel = model.messages.get(body)!
  const holder = ofModel.holder?.gone === true ? undefined : ofModel.holder
  const key = messageKey(message.id)
  if (chance % 2 === 0) {
    const isRequeued = yield* SingleMessages.requeue(contents, key, unlimited)
    assert.strictEqual(
      isRequeued,
      ofModel.place === "deferred" || (ofModel.place === "in flight" && holder !== undefined)
    )
    if (!isRequeued) return
    if (holder !== undefined) {
      holder.counts.requeued++
      model.counts.requeued++
    }
    ofModel.place = "waiting"
    ofModel.holder = undefined
    return
  }
  const isRemoved = yield* SingleMessages.remove(contents, key, unlimited)
  const { backend } = contents.places
  const isOnDisk = backend !== undefined &&
    (yield* SingleMessages.isOnDisk(backend, message.id, yield* Time.make, unlimited))
  assert.strictEqual(isRemoved, !isOnDisk)
  if (!isRemoved) return assert.strictEqual(ofModel.place, "waiting")
  if (holder !== undefined) holder.counts.finished++
  model.messages.delete(body)
})

/** Compares what is shown with the model, with and without states, and then changes a message. */
const comparing = () => {
  let looks = 0
  return Effect.fnUntraced(function*({ model, topic }: World) {
    const own = topic?.contents
    if (own === undefined) return
    assert.sameMembers((yield* pagesOf(own)).map(({ body }) => body.toString()), model.held.map(({ body }) => body))
    for (const [index, channel] of model.channels) {
      const contents = topic?.channel(channelNames[index]!)?.contents
      if (contents === undefined) return assert.fail("the channel has no contents")
      const messages = yield* pagesOf(contents, { limit: 1 + looks % 4 })
      const wanted = Array.from(channel.messages.values())
      assert.sameMembers(messages.map(shown), wanted.map(expected))
      for (const state of ["waiting", "in_flight", "deferred"] as const) {
        assert.sameMembers(
          (yield* pagesOf(contents, { states: new Set([state]) })).map(shown),
          wanted.filter(({ place }) => place.replace(" ", "_") === state).map(expected)
        )
      }
      if (++looks % 5 === 0) yield* changeOne(contents, channel, messages, looks / 5)
    }
  })
}

/** Reads a page after each step, and begins again at the end or when the broker was started again. */
const paging = () => {
  let at: { readonly topic: Topic | undefined; readonly from: string } = { topic: undefined, from: "" }
  let seen = new Set<string>()
  return Effect.fnUntraced(function*({ topic }: World) {
    const contents = topic?.channel(channelNames[0]!)?.contents
    if (contents === undefined) return
    if (at.topic !== topic || at.from === "") {
      at = { topic, from: "" }
      seen = new Set()
    }
    const time = yield* Time.make
    const { messages, next = "" } = yield* browseMemory(
      [contents],
      { ...all, limit: 2 },
      BrowseCursor.decode(at.from),
      time,
      unlimited
    )
    for (const { id, state } of messages) {
      assert.isFalse(seen.has(id), `${id} is shown twice, the second time ${state}`)
      seen.add(id)
    }
    at = { topic, from: next }
  })
}

const steps = Arbitrary.array(Arbitrary.schema(Step), { maxLength: 60 })
const settings = (memQueueSize: number) => ({
  durability: Arbitrary.Constant("memory" as const),
  memQueueSize: Arbitrary.Constant(memQueueSize),
  requeueOnDisconnect: Schema.Boolean,
  maxMsgTimeout: Schema.Literals([35, 70])
})

describe("pages of a memory topic's messages", () => {
  for (const [memQueueSize, name] of [[0, "no memory"], [3, "little memory"]] as const) {
    it.effect.prop(
      `no message is shown twice while the channel goes on between pages, with ${name}`,
      { ...settings(memQueueSize), steps },
      ({ steps, ...settings }) => Effect.provide(run(settings, steps, { hasFiles: true, look: paging() }), quietly),
      { arbitrary: { runs: 150, size: 60, maxShrinks: 2000 }, timeout: 240_000 }
    )
  }
})

describe("the browser shows the contents of memory topics and channels", () => {
  for (const [memQueueSize, name] of [[0, "no memory"], [3, "little memory"], [1000, "ample memory"]] as const) {
    for (const hasFiles of [true, false]) {
      it.effect.prop(
        `each message of the model once, in its state, with ${name} and disk queues in ${
          hasFiles ? "files" : "memory"
        }`,
        { ...settings(memQueueSize), steps },
        ({ steps, ...settings }) => Effect.provide(run(settings, steps, { hasFiles, look: comparing() }), quietly),
        { arbitrary: { runs: 100, size: 60, maxShrinks: 2000 }, timeout: 240_000 }
      )
    }
  }
})
