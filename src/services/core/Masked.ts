/**
 * Hides credentials in all output for people: log lines, errors, `/config`, nsqadmin's pages, the process list.
 * No other module masks addresses, and no connection uses a masked address.
 */

const hidden = "***"

/** The user information of a URL. The length of the scheme is bounded so that the search takes linear time. */
const userInformation = /\b([a-z][a-z\d+.-]{0,20}:\/\/)([^\s/?#"'<>]*)@/gi

/** Query parameters whose names indicate secret values. */
const secretParameter =
  /([?&;][\w.-]{0,40}?(?:secret|token|passwo?r?d|api[-_]?key|access[-_]?key|credential|signature)[\w.-]{0,40}=)[^&#\s"'<>]+/gi

/** An address without a scheme. */
const bareUserInformation = /^([^\s/?#@:"']*):[^\s/?#"']*@/

const hideUser = (information: string): string => {
  const colon = information.indexOf(":")
  // A user without a password is a token.
  return colon < 0 ? hidden : `${information.slice(0, colon)}:${hidden}`
}

/** Masks the credentials of the URLs in a string: passwords, users without a password, secret query parameters. */
export const masked = (text: string): string => {
  // Most lines contain neither, so the regular expressions rarely run.
  const users = text.includes("://") && text.includes("@")
    ? text.replace(userInformation, (_, scheme: string, information: string) => `${scheme}${hideUser(information)}@`)
    : text
  return users.includes("=") ? users.replace(secretParameter, `$1${hidden}`) : users
}

/** Masks the credentials of an address, `host:port` or URL. Returns any other option value unchanged. */
export const maskedAddress = (address: string): string => masked(address).replace(bareUserInformation, `$1:${hidden}@`)

/** Removes the user information of a URL; the result can be connected to. Returns a string that is not a URL unchanged. */
export const withoutUser = (address: string): string => {
  const url = URL.parse(address)
  if (url === null || url.username + url.password === "") return address
  url.username = ""
  url.password = ""
  return url.href
}

/** Hides everything of a URL but its scheme and host: the path of a webhook is often its secret. */
export const maskedWebhook = (address: string): string => {
  const url = URL.parse(address)
  if (url === null) return hidden
  return url.pathname === "/" && url.search === "" ? url.origin : `${url.origin}/${hidden}`
}

/** Masks the value of a command-line option: addresses, and the secrets that tools send. */
const maskedValue = (option: string, value: string): string => {
  if (option === "header") return value.replace(/^([^:]*:\s*).*$/s, `$1${hidden}`)
  if (option === "alert-webhook") return maskedWebhook(value)
  if (option.endsWith("-opt")) return value.replace(/^(auth_secret,).*$/s, `$1${hidden}`)
  return maskedAddress(value)
}

const flagSyntax = /^--?([^=]+)(?:=(.*))?$/s

/** Masks the secrets in the arguments of a program; the number of arguments stays the same. */
export const maskedArguments = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  let option = ""
  return args.map((arg) => {
    const [, name, value] = flagSyntax.exec(arg) ?? []
    if (name === undefined) {
      const shown = maskedValue(option, arg)
      option = ""
      return shown
    }
    option = value === undefined ? name : ""
    return value === undefined ? arg : arg.slice(0, arg.length - value.length) + maskedValue(name, value)
  })
}
