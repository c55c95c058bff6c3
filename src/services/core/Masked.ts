/**
 * Hides credentials in whatever is shown to people: log lines, errors, `/config`, nsqadmin's pages, the list of processes.
 * Nothing else masks an address; what is connected to is never taken from a masked text.
 */

const hidden = "***"

/** The user information of a URL. The length of a scheme is bounded so that a long text takes no longer than reading it. */
const userInformation = /\b([a-z][a-z\d+.-]{0,20}:\/\/)([^\s/?#"'<>]*)@/gi

/** Parameters of a query whose names say that their values are secrets. */
const secretParameter =
  /([?&;][\w.-]{0,40}?(?:secret|token|passwo?r?d|api[-_]?key|access[-_]?key|credential|signature)[\w.-]{0,40}=)[^&#\s"'<>]+/gi

/** An address without a scheme. */
const bareUserInformation = /^([^\s/?#@:"']*):[^\s/?#"']*@/

const hideUser = (information: string): string => {
  const colon = information.indexOf(":")
  // A user without a password is a token.
  return colon < 0 ? hidden : `${information.slice(0, colon)}:${hidden}`
}

/** A text without the credentials of the URLs in it: passwords, users without a password, secret parameters. */
export const masked = (text: string): string => {
  // Most lines have neither.
  const users = text.includes("://") && text.includes("@")
    ? text.replace(userInformation, (_, scheme: string, information: string) => `${scheme}${hideUser(information)}@`)
    : text
  return users.includes("=") ? users.replace(secretParameter, `$1${hidden}`) : users
}

/** An address, `host:port` or URL, without its credentials. Any other value of an option stays as it is. */
export const maskedAddress = (address: string): string => masked(address).replace(bareUserInformation, `$1:${hidden}@`)

/** A URL without its user information, for those who have to be able to use it. What is not a URL stays as it is. */
export const withoutUser = (address: string): string => {
  const url = URL.parse(address)
  if (url === null || url.username + url.password === "") return address
  url.username = ""
  url.password = ""
  return url.href
}

/** The value of an option on a command line: besides addresses the secrets that utilities send. */
const maskedValue = (option: string, value: string): string => {
  if (option === "header") return value.replace(/^([^:]*:\s*).*$/s, `$1${hidden}`)
  if (option.endsWith("-opt")) return value.replace(/^(auth_secret,).*$/s, `$1${hidden}`)
  return maskedAddress(value)
}

const flagSyntax = /^--?([^=]+)(?:=(.*))?$/s

/** The arguments of a program without the secrets in them, one for one. */
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
