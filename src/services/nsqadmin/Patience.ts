/**
 * How long nsqadmin waits for daemons. A frozen one accepts connections and never replies, so that each request to it would take as long as
 * its timeout. After the first failure a daemon is silent: what is read from it for pages and samples has a moment to arrive, while a
 * request in the background waits as long as the options say, and ends the silence. Changes that an administrator makes always wait.
 */
import { Clock, Context, Duration, Effect, FiberMap, Layer, Schema } from "effect"
import { DaemonHttp, RequestTimeout } from "../http/DaemonHttp.ts"
import type { HttpError } from "../http/HttpError.ts"
import type { Origin } from "../net/DaemonNetworks.ts"

/** Longer than a daemon takes that responds again. */
const moment = Duration.millis(100)

/** Time from the end of one request in the background to the next. */
const probeInterval = Duration.seconds(1)

/** A daemon that was not requested for so long is forgotten: it has left the cluster. */
const forgottenMillis = 10 * 60_000

/** Whether requests are reads, which do not wait for silent daemons. Default: `get`, `getByTopic` and `forEachTopic`. */
export const IsRead = Context.Reference<boolean | undefined>("effect-nsq/admin/Patience/IsRead", {
  defaultValue: () => undefined
})

/** What is known about the patience that daemons need. */
export class Patience extends Context.Service<Patience, {
  /** Whether the last request to the daemon had no response. */
  readonly isSilent: (address: string) => boolean
  /** Whether the error needs no line in the log: the daemon was silent already, or had less time than the options say. */
  readonly isExpected: (error: HttpError) => boolean
}>()("effect-nsq/admin/Patience") {
  /** Replaces the `DaemonHttp` of the environment. */
  static readonly layer: Layer.Layer<Patience | DaemonHttp, never, DaemonHttp> = Layer.effectContext(
    Effect.gen(function*() {
      const daemons = yield* DaemonHttp
      const clock = yield* Clock.Clock
      /** When each silent daemon was requested last, in Unix milliseconds. */
      const silent = new Map<string, number>()
      const expected = new WeakSet<HttpError>()
      const probes = yield* FiberMap.make<string>()

      const isSilent = (address: string): boolean => silent.has(address)

      /** Any response ends the silence, also an error or one of another form. */
      const probe = (address: string, origin: Origin | undefined) =>
        daemons.get(Schema.Unknown, address, "/ping", origin).pipe(
          Effect.match({
            onSuccess: () => true,
            onFailure: ({ reason: { _tag } }) => _tag !== "Timeout" && _tag !== "ConnectionFailure"
          }),
          Effect.map((isBack) => {
            const wanted = silent.get(address) ?? 0
            if (!isBack && clock.currentTimeMillisUnsafe() - wanted < forgottenMillis) return false
            silent.delete(address)
            return true
          }),
          Effect.tap((isOver) => isOver ? Effect.void : Effect.sleep(probeInterval)),
          Effect.repeat({ until: (isOver) => isOver })
        )

      /** Sends a request and notes whether the daemon responds. */
      const noted = <A>(
        address: string,
        origin: Origin | undefined,
        isReadByDefault: boolean,
        request: Effect.Effect<A, HttpError>
      ): Effect.Effect<A, HttpError> =>
        Effect.gen(function*() {
          const wasSilent = isSilent(address)
          if (wasSilent) silent.set(address, clock.currentTimeMillisUnsafe())
          const given = yield* RequestTimeout
          const isRead = (yield* IsRead) ?? isReadByDefault
          const limit = wasSilent && isRead ? Duration.min(given ?? moment, moment) : given
          return yield* Effect.provideService(request, RequestTimeout, limit).pipe(
            Effect.tapError((error) => {
              const { _tag } = error.reason
              if (_tag !== "Timeout" && _tag !== "ConnectionFailure") return Effect.sync(() => silent.delete(address))
              const isCut = _tag === "Timeout" && limit !== undefined
              if (isRead && (isCut || isSilent(address))) expected.add(error)
              if (isCut || isSilent(address)) return Effect.void
              silent.set(address, clock.currentTimeMillisUnsafe())
              return FiberMap.run(probes, address, probe(address, origin), { onlyIfMissing: true })
            }),
            Effect.tap(() => Effect.sync(() => silent.delete(address)))
          )
        })

      const patient = DaemonHttp.of({
        get: (schema, address, path, origin) =>
          noted(address, origin, true, daemons.get(schema, address, path, origin)),
        getByTopic: (schemas, address, path, origin) =>
          noted(address, origin, true, daemons.getByTopic(schemas, address, path, origin)),
        forEachTopic: (schemas, address, path, begin, origin) =>
          noted(address, origin, true, daemons.forEachTopic(schemas, address, path, begin, origin)),
        post: (address, path, body, origin) => noted(address, origin, false, daemons.post(address, path, body, origin)),
        exchange: (schema, method, address, path, body, origin) =>
          noted(address, origin, false, daemons.exchange(schema, method, address, path, body, origin)),
        send: (method, address, path, origin) =>
          noted(address, origin, false, daemons.send(method, address, path, origin))
      })
      return Context.make(Patience, { isSilent, isExpected: (error) => expected.has(error) }).pipe(
        Context.add(DaemonHttp, patient)
      )
    })
  )
}
