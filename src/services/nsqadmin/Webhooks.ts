/**
 * Sends alerts to the URLs of `--alert-webhook`, to each one after another and in order. A failed request is repeated with growing
 * pauses; an alert that cannot be sent within about a quarter of an hour is dropped and logged.
 */
import { Context, Effect, Layer, Queue, Schedule } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import type { Alert } from "../../protocol/http/admin/AdminAlerts.ts"
import { maskedWebhook } from "../core/Masked.ts"
import { HttpError, HttpErrorReason } from "../http/HttpError.ts"
import * as HttpExchange from "../http/HttpExchange.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"

/** Limit for alerts that wait for a webhook; further ones are dropped and logged. */
const maxWaiting = 256

/** Limit for a response in bytes. */
const maxResponseBytes = 64 * 1024

/** Pauses of 1, 2, 4 seconds and so on, at most a minute each. */
const pauses = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("1 minute")]).pipe(
  Schedule.upTo({ times: 20 })
)

/** A webhook refuses an alert for good with any other status from 400 to 499. */
const temporary = new Set([408, 425, 429])

const isTemporary = ({ reason }: HttpError): boolean =>
  reason._tag !== "InvalidUrl" &&
  (reason._tag !== "UnexpectedStatus" || reason.status >= 500 || reason.status < 400 || temporary.has(reason.status))

/** The result of a test of one webhook. */
export interface Tested {
  /** The URL without secrets. */
  readonly webhook: string
  /** Why it failed; undefined if it succeeded. */
  readonly failure: string | undefined
}

/** The webhooks of `--alert-webhook`. */
export class Webhooks extends Context.Service<Webhooks, {
  /** The URLs without secrets; empty without webhooks. */
  readonly names: ReadonlyArray<string>
  /** Queues an alert for each webhook, without waiting for them. */
  readonly send: (alert: Alert) => Effect.Effect<void>
  /** Sends an alert to each webhook once, at once, and returns the results. */
  readonly test: (alert: Alert) => Effect.Effect<ReadonlyArray<Tested>>
}>()("effect-nsq/admin/Webhooks") {
  static readonly layer: Layer.Layer<Webhooks, never, HttpClient.HttpClient> = Layer.effect(
    Webhooks,
    Effect.gen(function*() {
      const { alertWebhooks, httpClientRequestTimeout: timeout } = yield* NsqadminOptions
      const client = yield* HttpClient.HttpClient

      const post = Effect.fnUntraced(function*(url: string, alert: Alert) {
        const request = HttpClientRequest.post(url).pipe(
          HttpClientRequest.bodyText(JSON.stringify(alert), "application/json")
        )
        const limits = { timeout, maxBytes: maxResponseBytes, option: "responses of webhooks" }
        const { status } = yield* HttpExchange.send(client, request, limits)
        if (status >= 200 && status < 300) return
        const reason = HttpErrorReason.UnexpectedStatus({ status, code: "" })
        return yield* new HttpError({ address: maskedWebhook(url), method: "POST", url: maskedWebhook(url), reason })
      })

      const webhooks = yield* Effect.forEach(alertWebhooks, (url) =>
        Effect.gen(function*() {
          const name = maskedWebhook(url)
          const waiting = yield* Queue.dropping<Alert>(maxWaiting)
          const deliver = (alert: Alert) =>
            post(url, alert).pipe(
              Effect.retry({ schedule: pauses, while: isTemporary }),
              Effect.catch(({ description }) =>
                Effect.logError(`alert ${alert.id} (${alert.event}) not sent to ${name} - ${description}`)
              )
            )
          yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(waiting), deliver)))
          return { url, name, waiting }
        }))

      return Webhooks.of({
        names: webhooks.map(({ name }) => name),
        send: (alert) =>
          Effect.forEach(webhooks, ({ name, waiting }) =>
            Queue.offerUnsafe(waiting, alert)
              ? Effect.void
              : Effect.logWarning(`alert ${alert.id} dropped: ${maxWaiting} alerts wait for ${name}`), {
            discard: true
          }),
        test: (alert) =>
          Effect.forEach(webhooks, ({ name: webhook, url }) =>
            Effect.match(post(url, alert), {
              onSuccess: () => ({ webhook, failure: undefined }),
              onFailure: ({ description }) => ({ webhook, failure: description })
            }), { concurrency: "unbounded" })
      })
    })
  )
}
