/**
 * Watches of topics: the response of `/lookup` whenever a change of the registrations or the passing of time changes it. One
 * fiber per watched topic encodes the JSON once for all its watchers. Slow watchers skip to the latest JSON.
 */
import { Context, Effect, Layer, PubSub, RcMap, type Scope } from "effect"
import { Wakeup } from "../core/Wakeup.ts"
import { encodeJson } from "../http/HttpResponse.ts"
import * as LookupJson from "./LookupJson.ts"
import { Registrations } from "./Registrations.ts"

/** Changes within this time are sent together. */
const gatherMillis = 25

/** One watcher's view of a topic. */
export interface Watch {
  /** The JSON of `/lookup`: at once on the first run, later after a change. Not for concurrent use. */
  readonly next: Effect.Effect<string>
}

/** The shared state of a watched topic. */
interface Feed {
  text: string
  readonly stale: Wakeup
  readonly watchers: Set<Wakeup>
}

/** The watches of nsqlookupd. */
export class Watches extends Context.Service<Watches, {
  /** Watches a topic, known or not, until the Scope closes. */
  readonly watch: (topic: string) => Effect.Effect<Watch, never, Scope.Scope>
}>()("effect-nsq/lookup/Watches") {
  static readonly layer: Layer.Layer<Watches, never, Registrations> = Layer.effect(
    Watches,
    Effect.gen(function*() {
      const registrations = yield* Registrations
      const feeds = new Map<string, Feed>()

      const textOf = (topic: string): string =>
        encodeJson(LookupJson.lookup(registrations.lookup(topic) ?? { channels: [], producers: [] }))

      const refresh = (topic: string, feed: Feed): void => {
        const text = textOf(topic)
        if (text === feed.text) return
        feed.text = text
        for (const watcher of feed.watchers) watcher.call()
      }

      const keepFresh = (topic: string, feed: Feed): Effect.Effect<never> =>
        Effect.suspend(() => {
          const millis = registrations.millisUntilChange(topic)
          // `isActive` includes the end of the timeout, so the check comes 1 ms after it.
          const byTime = millis === Infinity ? Effect.never : Effect.sleep(Math.ceil(millis) + 1)
          return Effect.raceFirst(Effect.andThen(feed.stale.wait, Effect.sleep(gatherMillis)), byTime)
        }).pipe(
          Effect.andThen(Effect.sync(() => refresh(topic, feed))),
          Effect.forever
        )

      const open = Effect.fnUntraced(function*(topic: string) {
        const feed: Feed = { text: textOf(topic), stale: new Wakeup(), watchers: new Set() }
        yield* Effect.acquireRelease(
          Effect.sync(() => feeds.set(topic, feed)),
          () => Effect.sync(() => feeds.delete(topic))
        )
        yield* Effect.forkScoped(keepFresh(topic, feed))
        return feed
      })

      const changes = yield* PubSub.subscribe(registrations.changes)
      yield* PubSub.takeAll(changes).pipe(
        Effect.map((topics) => {
          for (const topic of topics) feeds.get(topic)?.stale.call()
        }),
        Effect.forever,
        Effect.forkScoped
      )

      const shared = yield* RcMap.make({ lookup: open })

      return {
        watch: Effect.fnUntraced(function*(topic: string) {
          const feed = yield* RcMap.get(shared, topic)
          const changed = new Wakeup()
          changed.call()
          yield* Effect.acquireRelease(
            Effect.sync(() => feed.watchers.add(changed)),
            () => Effect.sync(() => feed.watchers.delete(changed))
          )
          return { next: Effect.map(changed.wait, () => feed.text) }
        })
      }
    })
  )
}
