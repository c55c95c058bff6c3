/**
 * What is said to those who watch topics: the whole answer of `/lookup` as soon as it changes, by what producers do or by
 * time alone. One fiber per watched topic writes the text once for all its watchers. A watcher is told of the newest text
 * only: what changed in between is not kept for it.
 */
import { Context, Effect, Layer, PubSub, RcMap, type Scope } from "effect"
import { Wakeup } from "../core/Wakeup.ts"
import { encodeJson } from "../http/HttpResponse.ts"
import * as LookupJson from "./LookupJson.ts"
import { Registrations } from "./Registrations.ts"

/** Changes within this time are told together. */
const gatherMillis = 25

/** What one watcher sees of a topic. */
export interface Watch {
  /** The JSON of `/lookup`: at once at first, then when it is another one. One fiber at a time. */
  readonly next: Effect.Effect<string>
}

/** A topic that somebody watches. */
interface Feed {
  text: string
  readonly stale: Wakeup
  readonly watchers: Set<Wakeup>
}

export class Watches extends Context.Service<Watches, {
  /** Watches a topic, which need not be known, until the Scope closes. */
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
          // Producers are hidden after the moment, not at it.
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
