"""Real tasks from real libraries, and a model server that knows the answers: does the flow stand in their way?"""
