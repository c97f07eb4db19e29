// Whom steps of playbooks ask over HTTP, as a form and in words.
import type { EndpointsDraft } from '../bindings/EndpointsDraft';
import type { EndpointsView } from '../bindings/EndpointsView';

/** A form of what is kept. Tokens are not in it: an untouched one stays as it is. */
export function draftOfEndpoints(view: EndpointsView): EndpointsDraft {
  const { application_url, application_private, cdn_url, cdn_method, cdn_body, cdn_private } = view;
  return {
    application_url,
    application_private,
    application_token: null,
    cdn_url,
    cdn_method,
    cdn_body,
    cdn_private,
    cdn_token: null,
  };
}

/** What is set, short: "application with a token, no CDN". */
export function endpointsInWords(view: EndpointsView): string {
  const one = (name: string, url: string, token: boolean) =>
    url === '' ? `no ${name}` : `${name} ${token ? 'with a token' : 'without a token'}`;
  return `${one('application', view.application_url, view.has_application_token)}, ${one('CDN', view.cdn_url, view.has_cdn_token)}`;
}
