/** The addresses of nsqlookupd, as URLs of requests and in errors. */
import { ClientError, ClientErrorReason } from "./ClientError.ts"

/** Returns the URL for a topic, or for all nsqd; `undefined` if the address is not valid. */
export const lookupUrl = (address: string, topic: string | undefined): URL | undefined => {
  const url = URL.parse(/^https?:\/\//.test(address) ? address : `http://${address}`)
  if (url === null) return undefined
  if (url.pathname === "/") url.pathname = topic === undefined ? "/nodes" : "/lookup"
  if (topic !== undefined) url.searchParams.set("topic", topic)
  return url
}

/** Returns the host of an address. */
export const hostOf = (address: string): string =>
  lookupUrl(address, undefined)?.hostname.replace(/^\[|\]$/g, "") ?? address

/** The error of a request to nsqlookupd. */
export const lookupFailure = (address: string, description: string): ClientError =>
  new ClientError({ reason: ClientErrorReason.LookupFailure({ address, description }) })
