/** Requests outside of traces: spans would contain URLs, and other servers would see the headers. */
import { Effect } from "effect"
import { HttpClient } from "effect/http"

/** Omits the spans of a client, and the headers of traces. */
export const untraced = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transform(client, (effect) => Effect.provideService(effect, HttpClient.TracerDisabledWhen, () => true))
