/** The server's API as the pages use it: queries and mutations as atoms, with the types of `AdminApi`. */
import { Cause } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { AtomHttpApi } from "effect/reactivity"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import { settings } from "./settings.ts"

export class AdminClient extends AtomHttpApi.Service<AdminClient>()("effect-nsq/web/AdminClient", {
  api: AdminApi,
  httpClient: FetchHttpClient.layer,
  baseUrl: `${location.origin}${settings.basePath}`,
  transformClient: HttpClient.mapRequest(
    HttpClientRequest.setHeader("x-useragent", `nsqadmin/v${settings.version}`)
  )
}) {}

/** What went wrong, for people: the server's message, or that it could not be reached. */
export const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (typeof error === "object" && error !== null && "_tag" in error && error._tag === "HttpClientError") {
    return "nsqadmin does not answer"
  }
  return typeof error === "object" && error !== null && "message" in error && typeof error.message === "string"
    ? error.message
    : String(error)
}
