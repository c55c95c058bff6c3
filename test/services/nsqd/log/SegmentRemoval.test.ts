import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import { ChannelLog } from "../../../../src/services/nsqd/log/ChannelLog.ts"
import { NewlyFinished } from "../../../../src/services/nsqd/log/NewlyFinished.ts"
import { Retention, type RetentionLimits } from "../../../../src/services/nsqd/log/Retention.ts"
import { Segment, Segments } from "../../../../src/services/nsqd/log/Segment.ts"
import { SegmentRemoval } from "../../../../src/services/nsqd/log/SegmentRemoval.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { Chance } from "./LogModel.ts"

/** Bytes of a full segment. */
const segmentBytes = 1000

interface State {
  handed: number
  now: number
  isFull: boolean
  limits: RetentionLimits | undefined
  /** How often a segment was looked at. */
  looks: number
}

/** Segments without files, and channels whose finished messages a test sets. */
const makeLog = Effect.gen(function*() {
  const disk = yield* Disk
  const segments = new Segments()
  const state: State = { handed: 1, now: 0, isFull: false, limits: undefined, looks: 0 }
  const newlyFinished = new NewlyFinished()
  const owner = {
    newlyFinished,
    get handed() {
      return state.handed
    },
    wallMillis: () => state.now,
    changed: () => true
  }
  const channels: Array<ChannelLog> = []
  const retention = new Retention({ disk, epoch: 1, segments, wallMillis: () => state.now })
  retention.limits = () => state.limits
  const isDoneWith = (from: number, to: number) => channels.every((channel) => channel.isDoneWith(from, to))
  const removal = new SegmentRemoval({
    label: "TOPIC(t)",
    segmentBytes,
    segments,
    newlyFinished,
    writer: { isPreparing: false, leave: () => Effect.void, reclaim: () => Effect.void },
    reading: { alone: (work) => work, closeFile: Effect.void },
    retention,
    isFull: () => state.isFull,
    fork: () => {},
    handed: () => state.handed,
    isDoneWith: (from, to) => {
      state.looks++
      return isDoneWith(from, to)
    },
    isIdle: () => true,
    needsSpace: () => false,
    trimmed: () => {}
  })
  return {
    state,
    segments,
    channels,
    newlyFinished,
    isDoneWith,
    addChannel: () => {
      const channel = ChannelLog.startingAt(state.handed, channels.length + 1, `c${channels.length}`, owner)
      channels.push(channel)
      return channel
    },
    /** Adds a segment, behind messages that are lost. */
    addSegment: (messages: number, size: number, lost = 0) => {
      const first = (segments.last?.end ?? state.handed) + lost
      const segment = new Segment(first, `${first}.segment`)
      segment.end = first + messages
      segment.size = size
      segment.newest = state.now
      segments.add(segment)
      return segment
    },
    handOver: (to: number) => {
      const from = state.handed
      state.handed = to
      for (const channel of channels) channel.extend(from, to)
    },
    remove: Effect.suspend(() => removal.removeFinished() ?? Effect.void)
  }
})

describe("the removal of segments", () => {
  it.effect("of ten thousand segments only those are looked at whose messages were finished, and the last one", () =>
    Effect.gen(function*() {
      const { addChannel, addSegment, handOver, remove, segments, state } = yield* makeLog
      const [a, b] = [addChannel(), addChannel()]
      const count = 10_000
      const messages = 20_000
      for (let at = 0; at < count; at++) addSegment(messages, segmentBytes)
      const { end, first } = segments.last!
      handOver(end)
      // A deferred message in each segment keeps all of them.
      for (const segment of segments.all) {
        a.finish(segment.first + 1, segment.end)
        b.finish(segment.first, segment.end)
      }
      yield* remove
      assert.lengthOf(segments.all, count)
      const looksOf = (change: Effect.Effect<void>) =>
        Effect.suspend(() => {
          state.looks = 0
          return Effect.map(change, () => state.looks)
        })
      // Nothing is finished.
      assert.isAtMost(yield* looksOf(remove), 1)
      let most = 0
      for (let at = 0; at < count - 1; at += 10) {
        const segment = segments.all.at(-2 - at % 7)!
        const number = segments.all.length
        a.finish(segment.first, segment.first + 1)
        most = Math.max(most, yield* looksOf(remove))
        assert.lengthOf(segments.all, number - 1)
      }
      // The part of the log that has the message reaches into a second segment at most.
      assert.isAtMost(most, 3)
      // Retained segments are not looked at either.
      state.limits = { millis: Infinity, bytes: Infinity }
      for (const segment of segments.all.slice(0, -1)) a.finish(segment.first, segment.first + 1)
      yield* remove
      const retained = segments.all.length
      handOver(addSegment(messages, segmentBytes).end)
      for (let at = 0; at < 100; at++) {
        a.finish(first, first + 1 + at)
        most = Math.max(most, yield* looksOf(remove))
      }
      assert.isAtMost(most, 3)
      assert.lengthOf(segments.all, retained + 1)
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("after any changes the same segments are left as if all had been looked at", () =>
    Effect.gen(function*() {
      for (let seed = 0; seed < 60; seed++) {
        const chance = new Chance(seed)
        const log = yield* makeLog
        const { channels, segments, state } = log
        log.addChannel()
        log.addChannel()
        /** The segments that are left if every segment is looked at. */
        const expected = (): ReadonlyArray<Segment> => {
          const done = segments.all.filter(({ end, first }) => end <= state.handed && log.isDoneWith(first, end))
          let bytes = done.reduce((sum, { size = 0 }) => sum + size, 0)
          const gone = new Set<Segment>()
          for (const segment of done) {
            const { newest = 0, size = 0 } = segment
            const { limits } = state
            const isKept = !state.isFull && limits !== undefined && bytes <= limits.bytes &&
              newest >= state.now - limits.millis
            if (isKept) break
            bytes -= size
            if (segment !== segments.last || size >= segmentBytes / 2) gone.add(segment)
          }
          return segments.all.filter((segment) => !gone.has(segment))
        }
        const change = (): void => {
          const channel = chance.pick(channels)
          const choice = chance.below(100)
          state.now += chance.below(chance.happens(10) ? 60 : 10)
          if (choice < 20) {
            // Only a segment whose first write has failed has no messages: they are lost.
            const { last } = segments
            const lost = last !== undefined && last.end === last.first ? 1 + chance.below(50) : 0
            const messages = chance.happens(20) ? 0 : 1 + chance.below(4000)
            const { first } = log.addSegment(messages, chance.below(segmentBytes), lost)
            for (const each of channels) each.skipLost(first - lost, first)
          } else if (choice < 30) {
            const { last } = segments
            if (last === undefined) return
            last.end += chance.below(500)
            last.size = Math.min(segmentBytes, (last.size ?? 0) + 100)
            last.newest = state.now
          } else if (choice < 45) {
            const end = segments.last?.end ?? state.handed
            log.handOver(state.handed + chance.below(end - state.handed + 1))
          } else if (choice < 75) {
            const from = chance.happens(50) ? channel.floor : chance.below(state.handed)
            const to = Math.min(state.handed, from + 1 + chance.below(5000))
            if (from < to) {
              if (chance.happens(50)) channel.finish(from, to)
              else channel.skip(from, to)
            }
          } else if (choice < 80) channel.moveTo(1 + chance.below(state.handed))
          else if (choice < 83) log.addChannel()
          else if (choice < 86 && channels.length > 1) {
            channels.splice(channels.indexOf(channel), 1)
            log.newlyFinished.noteAll()
          } else if (choice < 90) state.isFull = chance.happens(20)
          else if (choice < 96) {
            const bytes = chance.happens(50) ? Infinity : chance.below(5 * segmentBytes)
            const millis = chance.happens(50) ? Infinity : chance.below(100)
            state.limits = chance.happens(30) ? undefined : { bytes, millis }
          } else if (choice < 98) { for (const each of channels) each.empty() }
          else {
            // Lost before they are handed over.
            const { last } = segments
            if (last !== undefined) { for (const each of channels) each.skipLost(last.first, last.end) }
          }
        }
        for (let step = 0; step < 300; step++) {
          for (let changes = 1 + chance.below(3); changes > 0; changes--) change()
          const left = expected()
          yield* log.remove
          assert.deepStrictEqual(
            segments.all.map(({ first }) => first),
            left.map(({ first }) => first),
            `seed ${seed}, step ${step}`
          )
        }
      }
    }).pipe(Effect.provide(FaultyDisk.layer)))
})
