"""The process that translates for providers which do not speak OpenAI's format: LiteLLM, fenced in.

It is told by the signed Manifest alone where each endpoint is called. It holds no key of the stack and reaches no
database; the gateway, which does, asks it over a Unix socket and never loads LiteLLM.
"""

import os

# Read by LiteLLM once, when it is imported: its table of models comes from the package and not from the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
